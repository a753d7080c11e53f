import { z } from 'zod'

import { spiffeIdIn } from '../../../workers/formats/spiffe-id.js'
import { ReloadError } from '../../base/errors.js'
import { refusal, WORDED } from '../../base/refusal.js'
import { type Endpoint, endpointIn, SOCKET_VARIABLE } from './endpoint.js'

/** Options of {@link spiffeSource}. */
export interface SpiffeSourceOptions {
  /**
   * Address of the agent: `unix:///absolute/path` or `tcp://IP:port`.
   * @defaultValue the environment variable `SPIFFE_ENDPOINT_SOCKET`
   */
  readonly socket?: string
  /**
   * The identity with this hint, if the agent delivers several.
   * @defaultValue the first one, which the specification makes the default
   */
  readonly hint?: string
  /** The identity with this SPIFFE ID; with `hint`, it must be the one with the hint. Any other is refused. */
  readonly id?: string
  /**
   * Name of the source in log lines, problems and metrics: 1 to 64 characters.
   * @defaultValue `spiffe`
   */
  readonly name?: string
  /**
   * Maximum size of one message of the agent in bytes: 65536 to 67108864.
   * @defaultValue 4194304
   */
  readonly maxMessageBytes?: number
}

export interface ResolvedSpiffeOptions {
  readonly endpoint: Endpoint
  readonly hint: string | null
  readonly id: string | null
  readonly name: string
  readonly maxMessageBytes: number
}

const schema = z.strictObject({
  socket: z.string().refine(isEndpoint, 'expected `unix:///absolute/path` or `tcp://IP:port`').optional(),
  hint: z.string().min(1).max(1024).optional(),
  id: z.string().refine(isSpiffeId, 'expected a SPIFFE ID such as `spiffe://example.org/web`').optional(),
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, 'expected 1 to 64 letters, digits, dots, hyphens or underscores')
    .optional(),
  maxMessageBytes: z.int().min(65_536).max(67_108_864).optional(),
})

/** @throws ReloadError `OPTIONS_INVALID`, which lists every refused option. */
export function resolveSpiffeOptions(
  input: SpiffeSourceOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ResolvedSpiffeOptions {
  const parsed = schema.safeParse(input, WORDED)
  if (!parsed.success) throw invalid(refusal(parsed.error.issues, input))
  const { socket, hint, id, name, maxMessageBytes } = parsed.data
  const endpoint = endpointIn(socket ?? env[SOCKET_VARIABLE] ?? '')
  if (!endpoint) {
    throw invalid(
      env[SOCKET_VARIABLE]
        ? `invalid options: ${SOCKET_VARIABLE} is neither \`unix:///absolute/path\` nor \`tcp://IP:port\``
        : `invalid options: \`socket\` and the environment variable ${SOCKET_VARIABLE} are not set; set one to the address of the agent`,
    )
  }
  return {
    endpoint,
    hint: hint ?? null,
    id: id ?? null,
    name: name ?? 'spiffe',
    maxMessageBytes: maxMessageBytes ?? 4_194_304,
  }
}

function isEndpoint(text: string): boolean {
  return endpointIn(text) !== null
}

function isSpiffeId(text: string): boolean {
  return spiffeIdIn(text) !== null
}

function invalid(message: string): ReloadError {
  return new ReloadError('OPTIONS_INVALID', message)
}
