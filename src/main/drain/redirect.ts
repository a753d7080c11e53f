/** Longest redirect URI in bytes; the limit of moq-transport. */
const MAX_URI_BYTES = 8192

/** Seconds that a client may remember the alternative service (RFC 7838, `ma`): about as long as a drain takes. */
const MAX_AGE_SECONDS = 60

const PRINTABLE_ASCII = /^[\x21-\x7e]+$/

/** The problem of a redirect URI, as the expectation it violates; `null` if it is valid. */
export function redirectProblem(uri: string): string | null {
  if (Buffer.byteLength(uri) > MAX_URI_BYTES) return `expected at most ${MAX_URI_BYTES} bytes`
  // It is copied into headers and frames: a line break would start another header.
  if (!PRINTABLE_ASCII.test(uri)) return 'expected printable ASCII without spaces (percent-encode the rest)'
  if (!URL.canParse(uri)) return 'expected an absolute URI'
  const { protocol, username, password } = new URL(uri)
  if (protocol !== 'https:' && protocol !== 'wss:') return 'expected `https:` or `wss:`'
  if (username !== '' || password !== '')
    return 'expected no user name or password: the URI is sent to every client'
  return null
}

/**
 * The redirect as an Alt-Svc value (RFC 7838), which carries host and port but no path. WebSockets have no alternative
 * services, so a `wss:` URI gives `null`.
 */
export function alternativeService(
  uri: string | undefined,
  ...protocols: ('h2' | 'http/1.1')[]
): string | null {
  if (uri === undefined) return null
  const { protocol, hostname, port } = new URL(uri)
  if (protocol !== 'https:') return null
  const authority = `${hostname}:${port === '' ? 443 : port}`
  const services = protocols.map((one) => `${one === 'h2' ? one : encodeURIComponent(one)}="${authority}"`)
  return `${services.join(', ')}; ma=${MAX_AGE_SECONDS}`
}
