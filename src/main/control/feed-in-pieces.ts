import type { Socket } from 'node:net'

/** Few requests fit into this, however short they are. */
const PIECE_BYTES = 512
/** What is not wanted is taken in so slowly that it costs next to nothing. */
const UNWANTED_PAUSE_MS = 500

/**
 * Feeds an HTTP connection to Node's parser in small pieces, and nothing any more once nothing is `wanted`. By itself
 * the parser would make objects of all of the thousand requests that fit into one read, though only the first will be
 * answered.
 */
export function feedInPieces(socket: Socket, wanted: () => boolean): void {
  const parsers = socket.listeners('data') as ((piece: Buffer) => void)[]
  for (const parse of parsers) socket.off('data', parse)
  // With a listener of our own, Node's parser does not read from the socket by itself any more.
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length && wanted(); at += PIECE_BYTES) {
      for (const parse of parsers) parse.call(socket, chunk.subarray(at, at + PIECE_BYTES))
    }
    if (wanted()) return
    socket.pause()
    setTimeout(() => socket.resume(), UNWANTED_PAUSE_MS).unref()
  })
}
