import { dirname, resolve } from 'node:path'

import { z } from 'zod'

import { absolutePath, withAbsolutePaths } from '../../base/absolute-paths.js'
import { protoIn } from '../../base/own-names.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { MAX_PATIENCE, MAX_PROCESSES, MAX_SECONDS, MIN_SECONDS } from '../limits.js'
import { readText } from '../read-text.js'
import { UNIX } from './address.js'
import { withAbsoluteSources } from './source-paths.js'

/** The options of the program, and unchecked options of the engine. */
export interface ConfigFile extends Readonly<Record<string, unknown>> {
  readonly listen?: string | undefined
  readonly upstream?: string | undefined
  readonly processes?: number | undefined
  readonly memberTimeout?: number | undefined
  readonly memberPatience?: number | undefined
  readonly control?: string | false | undefined
  readonly logLevel?: string | undefined
  readonly lameDuck?: number | undefined
  readonly drainDeadline?: number | undefined
  readonly onTrustRemoved?: 'keep' | 'drain' | undefined
  readonly ffi?: boolean | undefined
}

const fileSchema: z.ZodType<ConfigFile> = z.looseObject({
  listen: z.string().optional(),
  upstream: z.string().optional(),
  processes: z.int().min(1).max(MAX_PROCESSES).optional(),
  memberTimeout: z.number().min(MIN_SECONDS).max(MAX_SECONDS).optional(),
  memberPatience: z.int().min(1).max(MAX_PATIENCE).optional(),
  control: z.union([z.string().min(1), z.literal(false)]).optional(),
  logLevel: z.string().optional(),
  lameDuck: z.number().optional(),
  drainDeadline: z.number().optional(),
  onTrustRemoved: z.enum(['keep', 'drain']).optional(),
  ffi: z.boolean().optional(),
})

/**
 * Reads a configuration file, unless every user can write to it: it determines the served keys and their clients. Relative
 * paths in it become absolute; they are relative to the file.
 *
 * @throws CommandError `EXIT.usage`, or `EXIT.refused` if every user can write to the file.
 */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const text = await readUnlessOpen(path)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new CommandError(EXIT.usage, `--config: ${path} is not JSON`)
  }
  const proto = protoIn(json)
  if (proto !== null)
    throw new CommandError(EXIT.usage, `--config: ${path}: ${proto} is not a name of an option or a host`)
  const parsed = fileSchema.safeParse(json)
  if (!parsed.success) throw new CommandError(EXIT.usage, `--config: ${path}: expected an object of options`)
  return relativeTo(dirname(resolve(path)), parsed.data)
}

/**
 * Makes the path of an upstream absolute. Other upstreams are unchanged; `parseUpstream` refuses `unix:` alone.
 *
 * @param base base directory of a relative path. @defaultValue the working directory
 */
export function absoluteUpstream(upstream: string, base?: string): string {
  const path = upstream.startsWith(UNIX) ? upstream.slice(UNIX.length) : ''
  return path === '' ? upstream : UNIX + absolutePath(path, base)
}

async function readUnlessOpen(path: string): Promise<string> {
  const { text, mode } = await readText(path, '--config')
  if (process.geteuid && (mode & 0o002) !== 0) {
    throw new CommandError(
      EXIT.refused,
      `--config: ${path} is not used: every user can write to it; chmod o-w it`,
    )
  }
  return text
}

/** Makes all paths in the configuration absolute: those of the engine, of its sources and of the program. */
function relativeTo(base: string, config: ConfigFile): ConfigFile {
  const { control, upstream } = config
  return {
    ...withAbsoluteSources(withAbsolutePaths(config, base), config, base),
    ...(typeof control === 'string' ? { control: resolve(base, control) } : {}),
    ...(upstream === undefined ? {} : { upstream: absoluteUpstream(upstream, base) }),
  }
}
