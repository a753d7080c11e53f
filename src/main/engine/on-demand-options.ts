import { z } from 'zod'

import type { OnDemandOptions } from '../api/options.js'
import type { MaterialSource } from '../api/source.js'
import { hostNameIn } from '../base/option-names.js'
import { WORDED } from '../base/refusal.js'
import { sourceSchema } from '../base/schemas.js'
import type { OnDemandLimits } from '../generation/resolved-options.js'

/** The option `hosts` with the member `onDemand`, which its own schema validates. */
export interface OnDemandGiven {
  readonly onDemand: unknown
}

export const onDemandGiven: z.ZodType<OnDemandGiven> = z.custom<OnDemandGiven>(isOnDemand)

export function isOnDemand(hosts: unknown): hosts is OnDemandGiven {
  return typeof hosts === 'object' && hosts !== null && 'onDemand' in hosts
}

const NO_READ_HOST = 'expected a source with the method `readHost`'

const schema = z.strictObject({
  onDemand: z.strictObject({
    source: z.union([z.literal(true), z.custom<MaterialSource>(isSource, NO_READ_HOST)], {
      error: 'expected `true` for the engine’s own `source`, or a source with the method `readHost`',
    }),
    allow: z
      .array(
        z.string().transform((text, { issues }) => {
          const name = text === '*' ? { name: text } : hostNameIn(text)
          if ('name' in name) return name.name
          issues.push({ code: 'custom', input: text, message: `${name.expected}, or \`*\` for every name` })
          return z.NEVER
        }),
      )
      .min(1),
    maxPending: z.int().min(1).max(10_000).default(100),
    // The client waits meanwhile; Node ends a handshake after 120 seconds.
    timeoutMs: z.int().min(10).max(30_000).default(3000),
    negativeSeconds: z.number().min(0).max(86_400).default(60),
    maxHosts: z.int().min(1).max(1_000_000).default(10_000),
    refreshSeconds: z.number().min(1).max(86_400).default(60),
  }),
})

/** The refused members of the option `hosts`. The options may have any type. */
export function onDemandIssues(input: unknown): z.core.$ZodIssue[] {
  const { hosts, source: own } = Object(input) as { readonly hosts?: unknown; readonly source?: unknown }
  if (!isOnDemand(hosts)) return []
  const parsed = schema.safeParse(hosts, WORDED)
  const issues: z.core.$ZodIssue[] = parsed.error?.issues ?? []
  if (parsed.data?.onDemand.source === true && !isSource(own)) {
    const message = '`true` stands for the option `source`: expected one with the method `readHost`'
    issues.push({ code: 'custom', path: ['onDemand', 'source'], message })
  }
  return issues.map((issue) => ({ ...issue, path: ['hosts', ...issue.path] }))
}

/** Expects a valid option. */
export function onDemandLimits(hosts: unknown): OnDemandLimits | null {
  if (!isOnDemand(hosts)) return null
  const { source: _, ...limits } = schema.parse(hosts).onDemand
  return limits
}

/** The source of the hosts on demand; `null` without any. Expects valid options. */
export function onDemandSource(hosts: unknown, own: MaterialSource | undefined): MaterialSource | null {
  if (!isOnDemand(hosts)) return null
  const { source } = hosts.onDemand as OnDemandOptions
  return source === true ? (own as MaterialSource) : source
}

function isSource(value: unknown): value is MaterialSource {
  const hasMethod = typeof (value as Partial<MaterialSource> | null | undefined)?.readHost === 'function'
  return hasMethod && sourceSchema.safeParse(value).success
}
