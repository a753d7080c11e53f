import { CommandError, EXIT } from '../exit-codes.js'

export type SourceType = 'https' | 'redis' | 'spiffe'

/** A source as flags or the configuration file describe it. Its factory validates the options. */
export interface SourceConfig {
  readonly type: SourceType
  /** Those of the factory. In place of `client`, a source of type `redis` has `url`, `passwordFile` and `caFile`. */
  readonly options: Readonly<Record<string, unknown>>
}

const TYPES: readonly SourceType[] = ['https', 'redis', 'spiffe']

const SCHEMES: Readonly<Record<string, SourceType>> = { https: 'https', redis: 'redis', rediss: 'redis' }

const EXPECTED =
  'expected spiffe, spiffe:unix:///PATH, https://HOST/PATH, redis://HOST[:PORT][/DATABASE] or the same with rediss:'

/**
 * Reads a source from a value of the configuration file: a URL, or an object with its `type`.
 *
 * @param where the option, for messages. No message shows the value, because a URL may contain a password.
 * @throws CommandError `EXIT.usage`
 */
export function sourceConfigIn(value: unknown, where: string): SourceConfig {
  if (typeof value === 'string') return sourceConfigOf(value, where)
  const { type, ...options } = Object(value) as { type?: SourceType } & Record<string, unknown>
  if (type === undefined || !TYPES.includes(type)) {
    throw refused(`${where}: expected a URL, or an object with \`type\`: ${TYPES.join(', ')}`)
  }
  return { type, options }
}

/**
 * Reads the URL of a source; `spiffe` alone stands for the agent of the environment.
 *
 * @throws CommandError `EXIT.usage`
 */
export function sourceConfigOf(text: string, where: string): SourceConfig {
  if (text === 'spiffe') return { type: 'spiffe', options: {} }
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]{0,31}):(.*)$/is.exec(text) ?? []
  if (scheme === '') throw refused(`${where}: ${EXPECTED}`)
  if (scheme.toLowerCase() === 'spiffe') return { type: 'spiffe', options: { socket: rest } }
  const type = SCHEMES[scheme.toLowerCase()]
  if (type === undefined) throw refused(`${where}: unknown scheme ${scheme}: ${EXPECTED}`)
  return { type, options: { url: text } }
}

/** Whether a URL contains a password. */
export function showsPassword(url: string): boolean {
  return URL.canParse(url) && new URL(url).password !== ''
}

function refused(message: string): CommandError {
  return new CommandError(EXIT.usage, message)
}
