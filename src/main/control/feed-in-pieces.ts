import type { Socket } from 'node:net'

/** At most two requests fit into this, however short they are. */
const PIECE_BYTES = 64
/** So late is it noticed that a client has gone whose request has arrived. */
const LOOK_MS = 1_000

/** What may still come of a connection. */
export type Interest =
  /** The request has not arrived yet. */
  | 'all'
  /** Only that the client goes. */
  | 'end'
  /** It is refused. To read what it sends would take the event loop as long as the client likes. */
  | 'nothing'

export interface Feeding {
  readonly interest: () => Interest
  /** Resolves when the first words of this connection may be taken in; never where it ends before. */
  readonly turn: (first: Buffer) => Promise<void>
}

/**
 * Feeds an HTTP connection to Node's parser when its turn has come, in small pieces, and no longer than its request is of
 * interest. By itself the parser would take in all connections that say something at the same moment in one turn of the
 * event loop, and make objects of all of the thousand requests that fit into one read, though only the first will be
 * answered.
 */
export function feedInPieces(socket: Socket, { interest, turn }: Feeding): void {
  const parsers = socket.listeners('data') as ((piece: Buffer) => void)[]
  // A Node whose parser reads by other means goes on reading: the limits of the server still hold, the pace does not.
  if (parsers.length === 0) return
  for (const parse of parsers) socket.off('data', parse)
  // With a listener of our own, Node's parser does not read from the socket by itself any more.
  let resting = false
  const rest = () => {
    socket.pause()
    if (resting) return
    resting = true
    setTimeout(() => {
      resting = false
      if (interest() !== 'nothing') socket.resume()
    }, LOOK_MS).unref()
  }
  const feed = (chunk: Buffer) => {
    for (let at = 0; at < chunk.length && interest() === 'all'; at += PIECE_BYTES) {
      for (const parse of parsers) parse.call(socket, chunk.subarray(at, at + PIECE_BYTES))
    }
    if (interest() !== 'all') rest()
  }
  const begin = async (first: Buffer) => {
    socket.pause()
    await turn(first)
    if (socket.destroyed) return
    socket.on('data', feed)
    socket.resume()
    feed(first)
  }
  socket.once('data', (first: Buffer) => void begin(first))
}
