/** Longest redirect URI in bytes, as moq-transport bounds it. */
const MAX_URI_BYTES = 8192

/** Seconds that a client may remember the alternative: about as long as a drain takes, not for good. */
const MAX_AGE_SECONDS = 60

const PRINTABLE_ASCII = /^[\x21-\x7e]+$/

/** Says what is wrong with a redirect URI, as what was expected; `null` when nothing is. */
export function redirectProblem(uri: string): string | null {
  if (Buffer.byteLength(uri) > MAX_URI_BYTES) return `expected at most ${MAX_URI_BYTES} bytes`
  // It goes into headers and frames as it is: a line break in it would be another header.
  if (!PRINTABLE_ASCII.test(uri)) return 'expected printable ASCII without spaces (percent-encode the rest)'
  if (!URL.canParse(uri)) return 'expected an absolute URI'
  const { protocol, username, password } = new URL(uri)
  if (protocol !== 'https:' && protocol !== 'wss:') return 'expected `https:` or `wss:`'
  if (username !== '' || password !== '')
    return 'expected no user name or password: every client would learn it'
  return null
}

/**
 * The redirect as Alt-Svc (RFC 7838) carries it, which knows hosts and ports but no paths. WebSockets have no
 * alternative services, so a `wss:` URI gives `null`.
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
