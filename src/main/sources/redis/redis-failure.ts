import { SourceError, type SourceErrorCode } from '../../api/source.js'

/**
 * The failure of a command or a connection. Neither the text of the server nor the error of the client is part of it: a server
 * repeats arguments of a command that it does not know, and `ioredis` attaches all of them.
 */
export function redisFailure(error: unknown): SourceError {
  if (error instanceof SourceError) return error
  const reply = replyCode(error)
  if (reply !== null) {
    const [code, reason] = REPLIES[reply] ?? ['SOURCE_UNREACHABLE', 'the command failed']
    return new SourceError(code, `Redis answered ${reply}: ${reason}`)
  }
  return new SourceError('SOURCE_UNREACHABLE', `no connection to Redis: ${reasonOf(error)}`)
}

const REPLIES: Readonly<Record<string, readonly [SourceErrorCode, string]>> = {
  NOAUTH: ['SOURCE_DENIED', 'the client has no password; set one in its options'],
  WRONGPASS: ['SOURCE_DENIED', 'the user name or the password of the client is wrong'],
  NOPERM: ['SOURCE_DENIED', 'the user may not run the command on this key; extend its ACL'],
  DENIED: ['SOURCE_DENIED', 'the server is in protected mode; set a password or bind it to an address'],
  LOADING: ['SOURCE_UNREACHABLE', 'the server loads its data'],
  MASTERDOWN: ['SOURCE_UNREACHABLE', 'the replica has lost its master'],
  CLUSTERDOWN: ['SOURCE_UNREACHABLE', 'the cluster is down'],
  BUSY: ['SOURCE_UNREACHABLE', 'the server runs a script'],
  READONLY: ['SOURCE_UNREACHABLE', 'the server is a read-only replica'],
  UNBLOCKED: ['SOURCE_UNREACHABLE', 'the role of the server changed'],
  MISCONF: ['SOURCE_UNREACHABLE', 'the server cannot write its data to disk'],
  OOM: ['SOURCE_UNREACHABLE', 'the server has no memory left'],
  WRONGTYPE: ['SOURCE_INVALID', 'the key is not a hash or not a stream; delete it and publish again'],
}

/** The first word of an error reply, such as `NOAUTH`; `null` for an error that is no reply. */
function replyCode(error: unknown): string | null {
  const { message, code } = Object(error) as { message?: unknown; code?: unknown }
  if (typeof message !== 'string' || code !== undefined) return null
  return /^([A-Z][A-Z0-9_]{1,31}) /.exec(message)?.[1] ?? null
}

/** The code of a system error, and the address if it is there; both come from the system and not from a peer. */
function reasonOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error
  const { code, address, port } = Object(first) as { code?: unknown; address?: unknown; port?: unknown }
  if (typeof code !== 'string') return 'the connection was closed'
  const where =
    typeof address === 'string' ? ` at ${address}${typeof port === 'number' ? `:${port}` : ''}` : ''
  return `${code}${where}`
}
