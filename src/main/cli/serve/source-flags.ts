import type { LastGoodOptions } from '../../api/options.js'
import { MATERIAL_ROWS, type MaterialOptionName } from '../../base/material-options.js'
import { withoutUndefined } from '../../base/refusal.js'
import { CommandError, EXIT } from '../exit-codes.js'
import type { EngineConfig, OnDemandConfig } from './source.js'
import { type SourceConfig, type SourceType, sourceConfigIn, sourceConfigOf } from './source-config.js'

/** The flags of a source and of what depends on one. */
export interface SourceFlags {
  readonly source?: string
  readonly sourceIdentity?: string
  readonly sourceCa?: string
  readonly sourceTokenFile?: string
  readonly sourcePasswordFile?: string
  /** In seconds. */
  readonly sourceTimeout?: number
  /** In seconds. */
  readonly startTimeout?: number
  readonly lastGood?: string
  readonly lastGoodKeyFile?: string
  readonly hostsOnDemand?: boolean
  readonly allow?: readonly string[]
}

/** What flags and configuration file contain together. */
export interface Given {
  readonly flags: SourceFlags & { readonly config?: string } & Readonly<Record<string, unknown>>
  /** Options of the configuration file; `{}` without one. */
  readonly file: Readonly<Record<string, unknown>>
}

/**
 * The options that the flags and the file set. A source of `--source` replaces that of the file.
 *
 * @throws CommandError `EXIT.usage`
 */
export function sourceOptions(given: Given): EngineConfig {
  const { flags, file } = given
  const named = namedSource(given)
  assertUseful(given, named)
  const hosts = onDemandHosts(given)
  const common = withoutUndefined({
    sourceTimeoutSeconds: flags.sourceTimeout,
    startTimeoutSeconds: flags.startTimeout,
    lastGood: lastGoodOption(flags, file['lastGood']),
    hosts,
  })
  if (!named) return common
  assertNoFiles(given, named.name)
  const source = withFlags(named.source, flags)
  return { ...common, source: hosts === undefined ? source : withHosts(source, hosts, named.name) }
}

interface NamedSource {
  readonly source: SourceConfig
  /** For messages. */
  readonly name: string
}

function namedSource({ flags, file }: Given): NamedSource | null {
  if (flags.source !== undefined)
    return { source: sourceConfigOf(flags.source, '--source'), name: '--source' }
  if (file['source'] === undefined) return null
  const name = inFile('source', flags.config)
  return { source: sourceConfigIn(file['source'], name), name }
}

type OptionFlag = 'sourceIdentity' | 'sourceCa' | 'sourceTokenFile' | 'sourcePasswordFile'

/** Flags that are options of a source, by its type. */
const OPTION_FLAGS: Readonly<
  Record<OptionFlag, { readonly flag: string; readonly option: Partial<Record<SourceType, string>> }>
> = {
  sourceIdentity: { flag: '--source-identity', option: { redis: 'identity', spiffe: 'id' } },
  sourceCa: { flag: '--source-ca', option: { https: 'caFile', redis: 'caFile' } },
  sourceTokenFile: { flag: '--source-token-file', option: { https: 'tokenFile' } },
  sourcePasswordFile: { flag: '--source-password-file', option: { redis: 'passwordFile' } },
}

function withFlags({ type, options }: SourceConfig, flags: SourceFlags): SourceConfig {
  const set = Object.entries(OPTION_FLAGS).flatMap(([name, { flag, option }]) => {
    const value = flags[name as OptionFlag]
    if (value === undefined) return []
    if (option[type] === undefined) {
      throw refused(
        `${flag} is not for a source of type ${type}, only for: ${Object.keys(option).join(', ')}`,
      )
    }
    return [[option[type], value]]
  })
  return { type, options: { ...options, ...Object.fromEntries(set) } }
}

/** Refuses flags that would have no effect. */
function assertUseful({ flags, file }: Given, named: NamedSource | null): void {
  const used = Object.entries(OPTION_FLAGS).find(([name]) => flags[name as OptionFlag] !== undefined)
  if (used && !named) throw refused(`${used[1].flag} needs --source`)
  if (flags.hostsOnDemand && !named) throw refused('--hosts-on-demand needs --source')
  if (flags.lastGood !== undefined && !named) throw refused('--last-good needs --source')
  if (flags.sourceTimeout !== undefined && !named) throw refused('--source-timeout needs --source')
  if (flags.startTimeout !== undefined && !named) throw refused('--start-timeout needs --source')
  if (flags.lastGoodKeyFile !== undefined && flags.lastGood === undefined && file['lastGood'] === undefined) {
    throw refused('--last-good-key-file needs --last-good')
  }
}

/** Material that only files have, and the hosts of files. */
const FROM_FILES: ReadonlySet<MaterialOptionName> = new Set([
  'cert',
  'key',
  'pfx',
  'passphrase',
  'ocsp',
  'hosts',
])

function assertNoFiles({ flags, file }: Given, sourceName: string): void {
  for (const { name, flag } of MATERIAL_ROWS) {
    if (!FROM_FILES.has(name)) continue
    const byFlag = flags[name === 'passphrase' ? 'passphraseFile' : name] !== undefined
    // An object may be `{}` or `{ onDemand }`, which the engine checks.
    const byFile = file[name] !== undefined && !(name === 'hosts' && isObject(file[name]))
    if (!byFlag && !byFile) continue
    const given = byFlag ? (flag?.name.split(' ')[0] as string) : inFile(name, flags.config)
    throw refused(
      `${given} cannot be combined with ${sourceName}: material comes from files or from a source; remove one of them`,
    )
  }
}

/** Options of the configuration file that the engine checks later. */
interface Unchecked {
  readonly onDemand?: unknown
}

interface UncheckedHosts {
  readonly source?: unknown
  readonly allow?: readonly string[]
}

/** The option `hosts`, if it has hosts on demand. */
function onDemandHosts({ flags, file }: Given): { readonly onDemand: OnDemandConfig } | undefined {
  const { onDemand } = Object(file['hosts']) as Unchecked
  const isWanted = flags.hostsOnDemand === true || onDemand !== undefined
  if (!isWanted) {
    if (flags.allow !== undefined) throw refused('--allow needs --hosts-on-demand')
    return undefined
  }
  assertNoOtherHosts({ flags, file }, onDemand !== undefined)
  const { source = true, ...limits } = Object(onDemand) as UncheckedHosts
  const allow = flags.allow ?? limits.allow
  if (allow === undefined) {
    throw refused(
      "--hosts-on-demand needs --allow NAME: `--allow '*.example.com'` allows all names below it, and `--allow '*'` every name",
    )
  }
  return {
    onDemand: {
      ...limits,
      allow,
      source:
        source === true || flags.hostsOnDemand === true
          ? true
          : forHosts(sourceConfigIn(source, inFile('hosts.onDemand.source', flags.config))),
    },
  }
}

/** Hosts on demand would replace them without a word. */
function assertNoOtherHosts({ flags, file }: Given, isInFile: boolean): void {
  const { hosts } = file
  const other = isObject(hosts) ? Object.keys(hosts as object).find((name) => name !== 'onDemand') : undefined
  if (flags['hosts'] === undefined && other === undefined) return
  const ofFile = `${JSON.stringify(other)} of ${inFile('hosts', flags.config)}`
  const onDemand = isInFile ? inFile('hosts.onDemand', flags.config) : '--hosts-on-demand'
  const given = flags['hosts'] === undefined ? ofFile : '--hosts'
  throw refused(`${given} cannot be combined with ${onDemand}; remove one of them`)
}

/** A source for hosts on demand alone. */
function forHosts({ type, options }: SourceConfig): SourceConfig {
  return { type, options: type === 'redis' ? { hosts: true, ...options } : options }
}

/** A source that also answers for hosts on demand. Without another URL, an HTTPS service gets `?server_name=` at the same one. */
function withHosts(source: SourceConfig, hosts: { onDemand: OnDemandConfig }, name: string): SourceConfig {
  const { type, options } = source
  if (hosts.onDemand.source !== true) return source
  switch (type) {
    case 'https':
      return { type, options: { hostsUrl: options['url'], ...options } }
    case 'redis':
      return { type, options: { hosts: true, ...options } }
    case 'spiffe':
      throw refused(`hosts on demand need a source of type https or redis, and ${name} is of type spiffe`)
  }
}

function lastGoodOption(flags: SourceFlags, file: unknown): LastGoodOptions | undefined {
  const { lastGood: dir, lastGoodKeyFile: keyFile } = flags
  if (dir === undefined && keyFile === undefined) return undefined
  return { ...(Object(file) as LastGoodOptions), ...withoutUndefined({ dir, keyFile }) }
}

function inFile(option: string, config: string | undefined): string {
  return `\`${option}\` in ${config}`
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refused(message: string): CommandError {
  return new CommandError(EXIT.usage, message)
}
