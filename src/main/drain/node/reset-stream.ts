import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { constants } from 'node:http2'

/**
 * Resets a stream, so that its client knows that it did not get the whole. By itself `close` first ends the writable
 * side, and the client, who then sees an end before the reset or in place of it, takes what it has for complete.
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
 * Keeps streams above the last one that a GOAWAY names away from the application, and tells their clients that they can
 * be repeated. nghttp2 does so once the GOAWAY has got out; until then, while another write is under way, they would be
 * processed here and again wherever the client turns to.
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
  stream.on('error', () => {}) // Nothing else holds it.
  // Not now: nghttp2 may be about to read on in what the reset frees.
  setImmediate(resetStream, stream, constants.NGHTTP2_REFUSED_STREAM)
}
