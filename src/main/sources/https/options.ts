import { resolve } from 'node:path'

import { z } from 'zod'

import { ReloadError } from '../../base/errors.js'
import { refusal, WORDED } from '../../base/refusal.js'

/**
 * Options of {@link httpsSource}: `url`, `hostsUrl` or both. URLs begin with `https:` and contain neither a user name nor a
 * password. Files are read again for each request; relative paths are relative to the working directory of the call.
 */
export interface HttpsSourceOptions {
  /**
   * Returns the default identity: one PEM body with the private key and the certificate chain in any order, the leaf before its
   * issuers. Without it, the source delivers only hosts on demand.
   */
  readonly url?: string
  /** Returns the trust anchors for client certificates as PEM. A delivery needs both answers, of `url` and of `trustUrl`. */
  readonly trustUrl?: string
  /**
   * Returns the identity of one host: `server_name=NAME` is added to its query, as Caddy's `get_certificate http` does. The body
   * is that of `url`; 204 and 410 state that there is no such host.
   */
  readonly hostsUrl?: string
  /**
   * In log lines, problems and metrics: 1 to 64 letters, digits, `.`, `_` and `-`.
   * @defaultValue `'https'`
   */
  readonly name?: string
  /** File with the bearer token (RFC 6750) of this client: one line of printable ASCII, at most 64 KiB. */
  readonly tokenFile?: string
  /**
   * PEM file with the CAs of the service, at most 1 MiB. Only these CAs are trusted.
   * @defaultValue the public CAs that Node contains
   */
  readonly caFile?: string
  /** PEM file with the client certificate for the service and its chain, at most 1 MiB; needs `keyFile`. */
  readonly certFile?: string
  /** PEM file with the key of `certFile`, not encrypted, at most 1 MiB. May be the same file. */
  readonly keyFile?: string
  /**
   * Seconds between two polls, 0 to 86400; fractions are allowed. Each interval is between 75 % and 125 % of it, so that
   * the processes of a fleet do not poll at the same time. `0` turns polls off; then only the timer of the engine polls
   * (`autoReloadInterval`).
   * @defaultValue `60`
   */
  readonly pollSeconds?: number
  /**
   * The largest answer of `url` and of `trustUrl`, in bytes: 1024 to 67108864.
   * @defaultValue `16777216` (16 MiB)
   */
  readonly maxBytes?: number
  /**
   * The largest answer of `hostsUrl`, in bytes: 1024 to 67108864.
   * @defaultValue `1048576` (1 MiB)
   */
  readonly maxHostBytes?: number
}

/** Validated options with all defaults. */
export interface ResolvedHttpsOptions {
  readonly url: URL | null
  readonly trustUrl: URL | null
  readonly hostsUrl: URL | null
  readonly name: string
  readonly files: CredentialFiles
  readonly pollSeconds: number
  readonly maxBytes: number
  readonly maxHostBytes: number
}

/** Absolute paths. */
export interface CredentialFiles {
  readonly token: string | null
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
}

// The message never shows the URL, because a URL with a password is one of the refused ones.
const url = z.string().refine(isServiceUrl, 'expected an https: URL without user name, password and fragment')
const path = z.string().min(1)
const bytes = z.int().min(1024).max(67_108_864)

const schema = z
  .strictObject({
    url: url.optional(),
    trustUrl: url.optional(),
    hostsUrl: url.optional(),
    name: z
      .string()
      .regex(/^[\w.-]{1,64}$/, 'expected 1 to 64 letters, digits, `.`, `_` and `-`')
      .default('https'),
    tokenFile: path.optional(),
    caFile: path.optional(),
    certFile: path.optional(),
    keyFile: path.optional(),
    pollSeconds: z.number().min(0).max(86_400).default(60),
    maxBytes: bytes.default(16_777_216),
    maxHostBytes: bytes.default(1_048_576),
  })
  .refine((given) => given.url !== undefined || given.hostsUrl !== undefined, {
    path: ['url'],
    message: 'expected `url`, `hostsUrl` or both',
  })
  .refine((given) => given.trustUrl === undefined || given.url !== undefined, {
    path: ['trustUrl'],
    message: 'expected `url` too: trust anchors are a part of its delivery',
  })
  .refine((given) => (given.certFile === undefined) === (given.keyFile === undefined), {
    path: ['certFile'],
    message: 'expected both `certFile` and `keyFile`, or neither',
  })

/** @throws ReloadError `OPTIONS_INVALID`, whose message names every refused option. */
export function resolveHttpsOptions(input: HttpsSourceOptions): ResolvedHttpsOptions {
  const parsed = schema.safeParse(input, WORDED)
  if (!parsed.success) {
    throw new ReloadError('OPTIONS_INVALID', `httpsSource: ${refusal(parsed.error.issues, input)}`)
  }
  const { tokenFile, caFile, certFile, keyFile, ...rest } = parsed.data
  return {
    ...rest,
    url: urlOrNull(rest.url),
    trustUrl: urlOrNull(rest.trustUrl),
    hostsUrl: urlOrNull(rest.hostsUrl),
    files: {
      token: absoluteOrNull(tokenFile),
      ca: absoluteOrNull(caFile),
      cert: absoluteOrNull(certFile),
      key: absoluteOrNull(keyFile),
    },
  }
}

function isServiceUrl(text: string): boolean {
  const parsed = URL.canParse(text) ? new URL(text) : null
  return parsed?.protocol === 'https:' && !parsed.username && !parsed.password && !parsed.hash
}

function urlOrNull(text: string | undefined): URL | null {
  return text === undefined ? null : new URL(text)
}

function absoluteOrNull(file: string | undefined): string | null {
  return file === undefined ? null : resolve(file)
}
