import { z } from 'zod'

import { isPublicRoots } from '../../workers/protocol/material.js'
import {
  type EngineChanges,
  FIXED_OPTIONS,
  type ReloadEngineOptions,
  type WorkerOptions,
} from '../api/options.js'
import { MAX_TIMER_MS } from '../base/clock.js'
import { deepFreeze } from '../base/deep-freeze.js'
import { ReloadError } from '../base/errors.js'
import { claimPatternIn, hostNameIn, type OptionName, requiredNameIn } from '../base/option-names.js'
import { protoIn } from '../base/own-names.js'
import { refusal, WORDED, withoutUndefined } from '../base/refusal.js'
import { loggerSchema, sourceSchema } from '../base/schemas.js'
import { compressions, knowsPartialChains } from '../generation/native-context.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { duplicateName, type HostsOption, hostSources, namedHosts } from './host-options.js'
import { checkPairs, materialShape, path, sourcesOf } from './material-schema.js'
import { isOnDemand, onDemandGiven, onDemandIssues, onDemandLimits } from './on-demand-options.js'

/** The longest `autoReloadInterval`, in seconds: Valkey's limit. */
const MAX_INTERVAL_SECONDS = 2_147_483_647

const MIB = 1024 * 1024

const nameIn = (read: (text: string) => OptionName) =>
  z
    .string()
    .min(1)
    .transform((text, { issues }) => {
      const name = read(text)
      if ('name' in name) return name.name
      issues.push({ code: 'custom', input: text, message: name.expected })
      return z.NEVER
    })
const hostFiles = z.strictObject({ cert: path, key: path, ocsp: path.optional() })
const version = z.enum(['TLSv1.2', 'TLSv1.3'])
const interval = z.number().min(0).max(MAX_INTERVAL_SECONDS)

const contextSchema = z.strictObject({
  minVersion: version.optional(),
  maxVersion: version.optional(),
  ciphers: z.string().min(1).optional(),
  sigalgs: z.string().min(1).optional(),
  ecdhCurve: z.string().min(1).optional(),
  honorCipherOrder: z.boolean().optional(),
  secureOptions: z.int().min(0).optional(),
  sessionTimeout: z.int().min(1).max(86_400).optional(),
  allowPartialTrustChain: z
    .boolean()
    .refine((given) => !given || knowsPartialChains(), {
      error: () => `expected Node 20.18, 22.9 or newer: this Node (${process.version}) ignores the option`,
    })
    .optional(),
  certificateCompression: z
    .array(z.enum(['zlib', 'brotli', 'zstd']))
    .min(1)
    .refine((given) => new Set(given).size === given.length, 'expected each algorithm once')
    .refine(
      (given) => given.every((one) => compressions().includes(one)),
      `expected algorithms that this Node (${process.version}) supports: ${compressions().join(', ') || 'none'}`,
    )
    .optional(),
})

const policySchema = z
  .strictObject({
    expired: z.enum(['reject', 'warn']).default('reject'),
    notYetValid: z.enum(['reject', 'warn']).default('reject'),
    clockSkewSeconds: z.number().min(0).max(86_400).default(30),
    incompleteChain: z.enum(['warn', 'reject']).optional(),
    namesLost: z.enum(['warn', 'reject']).default('warn'),
    requiredNames: z.array(nameIn(requiredNameIn)).default([]),
    selfSignedCa: z.enum(['warn', 'reject']).default('warn'),
    weakKey: z.enum(['reject', 'warn']).default('reject'),
    largeKey: z.enum(['reject', 'warn']).default('reject'),
    brokenAnchor: z.enum(['reject', 'warn']).nullable().default(null),
    badOcsp: z.enum(['warn', 'reject']).default('warn'),
    pairGraceSeconds: z.number().min(0).max(86_400).default(60),
    hosts: z.enum(['independent', 'together']).default('independent'),
    nameClaims: z
      .union([z.literal('any'), z.array(nameIn(claimPatternIn))], {
        error: 'expected `any`, or an array of DNS names, patterns and paths',
      })
      .default('any'),
  })
  .transform(({ incompleteChain, ...rest }) => ({
    ...rest,
    incompleteChain: incompleteChain ?? ('warn' as const),
    unrelatedChain: incompleteChain ?? ('reject' as const),
  }))

const workerSchema = z.strictObject({
  timeoutMs: z.int().min(10).max(MAX_TIMER_MS).default(10_000),
  idleTimeoutMs: z.int().min(0).max(MAX_TIMER_MS).default(60_000),
  memoryLimitMb: z.int().min(32).default(256),
  maxFileBytes: z
    .int()
    .min(1)
    .max(1024 * MIB)
    .default(MIB),
  maxCrlBytes: z
    .int()
    .min(1)
    .max(1024 * MIB)
    .default(MIB / 2),
})

const schema = z
  .strictObject({
    ...materialShape,
    tls: contextSchema.default({}),
    purpose: z.enum(['server', 'client']).default('server'),
    requestCert: z.boolean().default(false),
    rejectUnauthorized: z.boolean().default(true),
    autoReloadInterval: interval.default(0),
    policy: policySchema.prefault({}),
    hosts: z
      .union([path.transform((one) => [one]), z.array(path), onDemandGiven, z.record(z.string(), hostFiles)])
      .optional(),
    unknownHosts: z.enum(['default', 'refuse']).default('default'),
    hostCacheSize: z.int().min(1).max(1_000_000).default(1000),
    source: sourceSchema.optional(),
    sourceTimeoutSeconds: z.number().min(0.1).max(3600).default(10),
    startTimeoutSeconds: z.number().min(0.1).max(86_400).default(60),
    lastGood: z
      .strictObject({
        dir: path,
        keyFile: path.optional(),
        afterSeconds: z.number().min(0.1).max(3600).default(5),
      })
      .optional(),
    verifyServed: z.boolean().default(true),
    historySize: z.int().min(0).max(100).default(3),
    tickets: z
      .strictObject({ secretFile: path.optional(), rotateHours: z.number().min(1).max(8760).optional() })
      .default({}),
    expiryWarningDays: z.array(z.number().min(0).max(36_500)).default([30, 7, 1]),
    worker: workerSchema.prefault({}),
    logger: loggerSchema.optional(),
  })
  .check(({ value, issues }) => {
    const refuse = (key: string, message: string) => {
      issues.push({ code: 'custom', input: undefined, path: [key], message })
    }
    checkPairs(value, refuse)
    for (const name of namedHosts(value.hosts)) {
      const read = hostNameIn(name)
      if ('expected' in read)
        issues.push({ code: 'custom', input: name, path: ['hosts', name], message: read.expected })
    }
    const duplicate = duplicateName(namedHosts(value.hosts))
    if (duplicate)
      refuse(
        'hosts',
        `expected each name once, got ${duplicate} twice: upper and lower case, and Unicode and ASCII forms, are equal`,
      )
    // A source may deliver them.
    const hasAnchors = value.ca !== undefined || value.caDir !== undefined || value.source !== undefined
    if (value.source !== undefined && !isEmptyObject(value.hosts) && !isOnDemand(value.hosts))
      refuse('hosts', HOSTS_OF_SOURCE)
    if (value.lastGood && value.source === undefined)
      refuse('lastGood', 'expected `source` as well: files need no copy')
    if (value.requestCert && !hasAnchors) {
      refuse('requestCert', 'expected `ca` or `caDir` as well: the public roots are never silently trusted')
    }
    if (value.requestCert && value.ca?.some(isPublicRoots)) refuse('ca', PUBLIC_ROOTS_OF_SERVER)
    if (value.peers && !value.requestCert)
      refuse('peers', 'expected `requestCert: true` as well: it names clients by their certificates')
    if (value.purpose === 'client')
      for (const name of FOR_SERVERS)
        if (value[name] !== undefined && value[name] !== false)
          refuse(name, "expected `purpose: 'server'`: it is for servers")
    if (value.crl && !hasAnchors) refuse('crl', 'expected `ca` or `caDir` as well')
    if (value.tls.minVersion === 'TLSv1.3' && value.tls.maxVersion === 'TLSv1.2') {
      refuse('tls', 'expected `minVersion` not to be above `maxVersion`')
    }
    if (value.tls.certificateCompression && value.tls.maxVersion === 'TLSv1.2') {
      refuse('tls', 'expected `maxVersion` to allow TLS 1.3: `certificateCompression` needs it')
    }
  })

/** Options that have no meaning for a client. */
const FOR_SERVERS = ['requestCert', 'peers', 'hosts', 'ocsp', 'dhparam'] as const

/** Whether the option is absent, or has no entries. */
function isEmptyObject(hosts: HostsOption): boolean {
  return hosts === undefined || (!Array.isArray(hosts) && Object.keys(hosts).length === 0)
}

/** Node and OpenSSL would accept every client with a certificate of any public CA. */
const PUBLIC_ROOTS_OF_SERVER =
  "expected files of your own CAs beside `requestCert: true`, without 'system' and 'default': public roots never verify clients; " +
  'use a second engine for outgoing connections'

const HOSTS_OF_SOURCE =
  'expected `{}` beside `source`, for the hosts that the source delivers, or `{ onDemand }`'

/**
 * Validates all options together and fills in the defaults.
 *
 * @throws ReloadError `OPTIONS_INVALID`, which lists every refused option with the expected and the received value.
 */
export function resolveOptions(input: ReloadEngineOptions): ResolvedOptions {
  const proto = protoIn(input)
  if (proto !== null)
    throw new ReloadError('OPTIONS_INVALID', `invalid options: \`${proto}\` is not allowed as a name`)
  const parsed = schema.safeParse(input, WORDED)
  const issues = [...(parsed.error?.issues ?? []), ...onDemandIssues(input)]
  if (!parsed.success || issues.length > 0) throw optionsInvalid(issues, input)
  const { tickets, ...rest } = parsed.data
  const resolved = deepFreeze({
    sources: sourcesOf(rest, tickets.secretFile, input.source?.name ?? null),
    context: withoutUndefined(rest.tls),
    peers: { requestCert: rest.requestCert, rejectUnauthorized: rest.rejectUnauthorized },
    hosts: hostSources(rest.hosts),
    onDemand: onDemandLimits(rest.hosts),
    unknownHosts: rest.unknownHosts,
    hostCacheSize: rest.hostCacheSize,
    verifyServed: rest.verifyServed,
    historySize: rest.historySize,
    tickets: { rotateHours: tickets.rotateHours ?? null },
    autoReloadInterval: rest.autoReloadInterval,
    policy: { ...rest.policy, purpose: rest.purpose },
    expiryWarningDays: rest.expiryWarningDays,
    worker: rest.worker,
    sourceTimeoutSeconds: rest.sourceTimeoutSeconds,
    startTimeoutSeconds: rest.startTimeoutSeconds,
    lastGood: rest.lastGood ? { ...rest.lastGood, keyFile: rest.lastGood.keyFile ?? null } : null,
  })
  // The user's own objects, not frozen: a copy would lose its prototype.
  return Object.freeze({ ...resolved, logger: input.logger ?? null, source: input.source ?? null })
}

/** The default limits of worker threads. */
export function defaultWorkerLimits(): Required<WorkerOptions> {
  return workerSchema.parse({})
}

/**
 * The options with changes applied; `policy` and `tls` are merged member by member.
 *
 * @throws ReloadError `OPTIONS_INVALID` for an option that cannot change.
 */
export function mergeChanges(input: ReloadEngineOptions, changes: EngineChanges): ReloadEngineOptions {
  const names: readonly (keyof ReloadEngineOptions)[] = FIXED_OPTIONS
  const fixed = names.filter((name) => name in changes)
  if (fixed.length > 0) {
    const list = fixed.map((name) => `\`${name}\``).join(', ')
    throw new ReloadError('OPTIONS_INVALID', `update: ${list} cannot be changed while the engine runs`)
  }
  const { policy, tls } = changes
  return withoutUndefined({
    ...input,
    ...changes,
    ...(policy ? { policy: withoutUndefined({ ...input.policy, ...policy }) } : {}),
    ...(tls ? { tls: withoutUndefined({ ...input.tls, ...tls }) } : {}),
  }) as ReloadEngineOptions
}

/**
 * Validates an interval that is set at run time.
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function assertInterval(seconds: number): void {
  const parsed = interval.safeParse(seconds, WORDED)
  if (!parsed.success) throw optionsInvalid(parsed.error.issues, seconds, 'autoReloadInterval')
}

function optionsInvalid(issues: readonly z.core.$ZodIssue[], input: unknown, root?: string): ReloadError {
  return new ReloadError('OPTIONS_INVALID', refusal(issues, input, root))
}
