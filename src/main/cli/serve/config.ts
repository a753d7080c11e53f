import { dirname, resolve } from 'node:path'

import { z } from 'zod'

import type { ReadTextReply } from '../../../workers/protocol/read-text.js'
import type { ReloadEngineOptions } from '../../api/options.js'
import { absolutePath, withAbsolutePaths } from '../../base/absolute-paths.js'
import { systemClock } from '../../base/clock.js'
import { ReloadError } from '../../base/errors.js'
import { MATERIAL_ROWS, type MaterialOptionName } from '../../base/material-options.js'
import { protoIn } from '../../base/own-names.js'
import { withoutUndefined } from '../../base/refusal.js'
import type { DrainOptions } from '../../drain/options.js'
import { defaultWorkerLimits } from '../../engine/resolve-options.js'
import type { ShareOptions } from '../../fleet/index.js'
import { openWorker } from '../../threads/pool.js'
import { defaultControlPath } from '../control-path.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { MAX_PATIENCE, MAX_PROCESSES, MAX_SECONDS, MIN_SECONDS } from '../limits.js'
import { type ListenAddress, parseAddress, parseUpstream, UNIX, type UpstreamAddress } from './address.js'

/** The flags of the table of material options, by the names that commander gives them. */
type FileFlags = { readonly [Name in MaterialOptionName as FlagName<Name>]?: string | string[] }
type FlagName<Name extends MaterialOptionName> = Name extends 'passphrase' ? 'passphraseFile' : Name

/** The flags of every command that reads material. */
export interface MaterialFlags extends FileFlags {
  readonly unknownHosts?: 'default' | 'refuse'
  readonly requestCert?: boolean
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
}

export interface ServeFlags extends MaterialFlags {
  readonly config?: string
  readonly listen?: string
  readonly upstream?: string
  readonly processes?: number
  /** In seconds. */
  readonly memberTimeout?: number
  readonly memberPatience?: number
  /** Path of the control socket; `false` for none. */
  readonly control?: string | false
  readonly autoReloadInterval?: number
  /** In seconds. */
  readonly lameDuck?: number
  /** In seconds. */
  readonly drainDeadline?: number
  readonly onTrustRemoved?: 'keep' | 'drain'
  readonly logLevel?: string
  readonly ffi?: boolean
}

/** The resolved configuration of `serve`. */
export interface ServeConfig {
  readonly listen: ListenAddress
  /** Number of serving processes; 1 means this process. */
  readonly processes: number
  /** Time limits of the serving processes; checked by `shareEngine()`. */
  readonly members: Pick<ShareOptions, 'timeoutMs' | 'patience'>
  /** Target of the decrypted streams; `null` to answer requests here. */
  readonly upstream: UpstreamAddress | null
  /** A path that was given (`wanted`) must work; the default path may fail. */
  readonly control: { readonly path: string; readonly wanted: boolean } | null
  readonly logLevel: string
  /** Checked by `createDrain()`. */
  readonly drain: Pick<DrainOptions, 'lameDuckMs' | 'deadlineMs' | 'onTrustRemoved'>
  /** Whether systemd is notified by `node:ffi`. */
  readonly ffi: boolean
  /** Checked by `createReloadEngine()`. */
  readonly engine: ReloadEngineOptions
}

const DEFAULT_LISTEN = '127.0.0.1:8443'
const DEFAULT_INTERVAL_SECONDS = 10

const fileSchema = z.looseObject({
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
 * Flags override the configuration file, which overrides the defaults. Paths in the file are relative to it.
 *
 * @throws CommandError `EXIT.usage`, or `EXIT.refused` if every user can write to the file.
 */
export async function resolveConfig(flags: ServeFlags): Promise<ServeConfig> {
  const {
    listen,
    upstream,
    processes,
    memberTimeout,
    memberPatience,
    control,
    logLevel,
    lameDuck,
    drainDeadline,
    onTrustRemoved,
    ffi,
    ...file
  } = flags.config === undefined ? {} : await readConfigFile(flags.config)
  return {
    listen: parseAddress(flags.listen ?? listen ?? DEFAULT_LISTEN),
    upstream: upstreamConfig(flags.upstream ?? upstream),
    processes: flags.processes ?? processes ?? 1,
    members: membersConfig(flags.memberTimeout ?? memberTimeout, flags.memberPatience ?? memberPatience),
    control: controlConfig(flags.control ?? control),
    logLevel: flags.logLevel ?? logLevel ?? 'info',
    drain: drainConfig({
      lameDuck: flags.lameDuck ?? lameDuck,
      drainDeadline: flags.drainDeadline ?? drainDeadline,
      onTrustRemoved: flags.onTrustRemoved ?? onTrustRemoved,
    }),
    ffi: flags.ffi ?? ffi ?? false,
    engine: {
      autoReloadInterval: DEFAULT_INTERVAL_SECONDS,
      ...file,
      ...(flags.autoReloadInterval === undefined ? {} : { autoReloadInterval: flags.autoReloadInterval }),
      ...materialOptions(flags, (file as ReloadEngineOptions).tls),
    },
  }
}

function controlConfig(given: string | false | undefined): ServeConfig['control'] {
  if (given === false) return null
  return { path: given ?? defaultControlPath(), wanted: given !== undefined }
}

function upstreamConfig(given: string | undefined): UpstreamAddress | null {
  // Absolute, because the working directory may change before a connection is made.
  return given === undefined ? null : parseUpstream(absoluteUpstream(given))
}

function membersConfig(timeout: number | undefined, patience: number | undefined): ServeConfig['members'] {
  return {
    ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
    ...(patience === undefined ? {} : { patience }),
  }
}

type DrainSettings = {
  readonly [K in 'lameDuck' | 'drainDeadline' | 'onTrustRemoved']: ServeFlags[K] | undefined
}

function drainConfig({ lameDuck, drainDeadline, onTrustRemoved }: DrainSettings): ServeConfig['drain'] {
  return {
    ...(lameDuck === undefined ? {} : { lameDuckMs: lameDuck * 1000 }),
    ...(drainDeadline === undefined ? {} : { deadlineMs: drainDeadline * 1000 }),
    ...(onTrustRemoved === undefined ? {} : { onTrustRemoved }),
  }
}

/** Material flags as engine options; omitted flags are left out. */
function materialOptions(flags: MaterialFlags, tls: ReloadEngineOptions['tls'] = {}): ReloadEngineOptions {
  const { minVersion, unknownHosts, requestCert } = flags
  const files = MATERIAL_ROWS.map(({ name, kind }) => {
    const value = flags[kind === 'passphrase' ? 'passphraseFile' : (name as keyof FileFlags)]
    return [name, kind === 'passphrase' && value !== undefined ? { file: value } : value] as const
  })
  return {
    ...withoutUndefined(Object.fromEntries(files)),
    ...withoutUndefined({ unknownHosts, requestCert }),
    ...(minVersion === undefined ? {} : { tls: { ...tls, minVersion } }),
  }
}

type ConfigFile = z.infer<typeof fileSchema>

async function readConfigFile(path: string): Promise<ConfigFile> {
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
 * Reads the file, unless every user can write to it: it determines the served keys and their clients.
 *
 * A worker thread reads it: on a mount that hangs, this thread, or one of libuv, would prevent the process from ending.
 */
async function readUnlessOpen(path: string): Promise<string> {
  const read = await readOffThread(path)
  if (!read.ok) throw new CommandError(EXIT.usage, `--config: ${path} cannot be read: ${read.code}`)
  if (process.geteuid && (read.mode & 0o002) !== 0) {
    throw new CommandError(
      EXIT.refused,
      `--config: ${path} is not used: every user can write to it; chmod o-w it`,
    )
  }
  return read.text
}

async function readOffThread(path: string): Promise<ReadTextReply> {
  const limits = defaultWorkerLimits()
  const worker = openWorker(limits, systemClock)
  try {
    return await worker.readText({ path })
  } catch (error) {
    if (!(error instanceof ReloadError)) throw error
    const isHung = error.code === 'WORKER_TIMEOUT'
    const message = isHung
      ? `${path} cannot be read: a system call on it has not returned for ${limits.timeoutMs / 1000} s; check its storage`
      : error.message
    throw new CommandError(isHung ? EXIT.timedOut : EXIT.rejected, `--config: ${message}`, { cause: error })
  } finally {
    await worker.close()
  }
}

/** Makes all paths in the configuration absolute: those of the engine and those of the program. */
function relativeTo(base: string, config: ConfigFile): ConfigFile {
  const { control, upstream } = config
  return {
    ...withAbsolutePaths(config, base),
    ...(typeof control === 'string' ? { control: resolve(base, control) } : {}),
    ...(upstream === undefined ? {} : { upstream: absoluteUpstream(upstream, base) }),
  }
}

/**
 * Makes the path of an upstream absolute. Other upstreams are unchanged; `parseUpstream` refuses `unix:` alone.
 *
 * @param base base directory of a relative path. @defaultValue the working directory
 */
function absoluteUpstream(upstream: string, base?: string): string {
  const path = upstream.startsWith(UNIX) ? upstream.slice(UNIX.length) : ''
  return path === '' ? upstream : UNIX + absolutePath(path, base)
}
