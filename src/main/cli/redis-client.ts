import { z } from 'zod'

import { SourceError } from '../api/source.js'
import { ReloadError } from '../base/errors.js'
import { refusal, WORDED } from '../base/refusal.js'
import type { RedisClient } from '../sources/redis/index.js'
import { CommandError } from './exit-codes.js'
import { ifInstalled } from './if-installed.js'
import { readText } from './read-text.js'

/** How a source of type `redis` reaches its server. */
export interface RedisAddress {
  readonly url: unknown
  readonly passwordFile: unknown
  readonly caFile: unknown
}

const schema = z
  .strictObject({
    // Custom checks, because other issues show the received value, and a URL may contain a password.
    url: z.custom<string>(
      (value) => addressIn(value) !== null,
      'expected redis://[USER@]HOST[:PORT][/DATABASE], or the same with rediss: for TLS',
    ),
    passwordFile: z.string().min(1).optional(),
    caFile: z.string().min(1).optional(),
  })
  .refine(({ url, caFile }) => caFile === undefined || addressIn(url)?.tls === true, {
    path: ['caFile'],
    message: 'expected a URL that begins with rediss: beside it',
  })
  .refine(({ url, passwordFile }) => passwordFile === undefined || !addressIn(url)?.password, {
    path: ['passwordFile'],
    message: 'expected a URL without a password beside it',
  })

/**
 * A client of the package `redis` that is not connected. A password file is read for each connection, so that the password can
 * change; the CA file is read once.
 *
 * @param what names the client in messages.
 * @throws ReloadError `OPTIONS_INVALID`; CommandError if a file cannot be read, or the package is not installed.
 */
export async function createRedisClient(given: RedisAddress, what: string): Promise<RedisClient> {
  const parsed = schema.safeParse(given, WORDED)
  if (!parsed.success) {
    throw new ReloadError('OPTIONS_INVALID', `${what}: ${refusal(parsed.error.issues, given)}`)
  }
  const { url, passwordFile, caFile } = parsed.data
  const { host, port, tls, database, username, password } = addressIn(url) as Address
  const ca = caFile === undefined ? {} : { ca: (await readText(caFile, 'caFile')).text }
  const { createClient } = await ifInstalled('redis', () => import('redis'))
  const client = createClient({
    socket: tls ? { host, port, tls, ...ca } : { host, port },
    ...(database === null ? {} : { database }),
    credentialsProvider: {
      type: 'async-credentials-provider',
      credentials: async () => ({
        ...(username === null ? {} : { username }),
        ...passwordField(passwordFile === undefined ? password : await passwordIn(passwordFile)),
      }),
    },
  })
  return client.on('error', () => {}) as unknown as RedisClient
}

interface Address {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly database: number | null
  readonly username: string | null
  readonly password: string | null
}

const DEFAULT_PORT = 6379

function addressIn(value: unknown): Address | null {
  if (typeof value !== 'string' || !URL.canParse(value)) return null
  const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(value)
  const [, database] = /^\/?(\d{0,5})$/.exec(pathname) ?? []
  if (!['redis:', 'rediss:'].includes(protocol) || hostname === '' || search !== '' || hash !== '')
    return null
  if (database === undefined) return null
  try {
    return {
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? DEFAULT_PORT : Number(port),
      tls: protocol === 'rediss:',
      database: database === '' ? null : Number(database),
      username: decodeURIComponent(username) || null,
      password: decodeURIComponent(password) || null,
    }
  } catch {
    return null
  }
}

function passwordField(password: string | null): { password?: string } {
  return password === null ? {} : { password }
}

/** One trailing line feed is stripped, as from the file of a passphrase. */
async function passwordIn(path: string): Promise<string> {
  try {
    return (await readText(path, 'passwordFile')).text.replace(/\r?\n$/, '')
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new SourceError('SOURCE_DENIED', error.message)
  }
}
