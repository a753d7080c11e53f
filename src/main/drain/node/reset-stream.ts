import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { constants } from 'node:http2'

/**
 * Resets a stream, so that its client knows that the response is truncated. `close` alone first ends the writable side: the
 * client then sees an end before, or instead of, the reset, and treats the truncated response as complete.
 */
export function resetStream(stream: ServerHttp2Stream, code: number = constants.NGHTTP2_CANCEL): void {
  if (stream.closed || stream.destroyed) return
  stream.end = () => stream
  try {
    stream.close(code)
  } finally {
    Reflect.deleteProperty(stream, 'end')
  }
}

/**
 * Hides streams above the last stream of a GOAWAY from the application, and resets them with REFUSED_STREAM, which makes
 * them safe to repeat (RFC 9113, section 8.7). nghttp2 does so once the GOAWAY is written; while it is still queued, they
 * would be processed here and again wherever the client repeats them.
 */
export function refuseStreamsAbove(session: ServerHttp2Session, last: number): void {
  const listeners = session.rawListeners('stream')
  session.removeAllListeners('stream')
  session.on('stream', (stream, ...rest) => {
    if ((stream.id ?? 0) > last) refuse(stream)
    else for (const listener of listeners) listener.call(session, stream, ...rest)
  })
}

function refuse(stream: ServerHttp2Stream): void {
  stream.on('error', () => {}) // It has no other listener.
  // Deferred: nghttp2 may still read memory that the reset frees.
  setImmediate(resetStream, stream, constants.NGHTTP2_REFUSED_STREAM)
}
