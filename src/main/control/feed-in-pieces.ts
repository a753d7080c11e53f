import type { Socket } from 'node:net'

/** At most two requests fit into a piece, however short they are. */
const PIECE_BYTES = 64
/** Interval in milliseconds at which to check whether a client whose request has arrived has disconnected. */
const LOOK_MS = 1_000

/** What is still read from a connection. */
export type Interest =
  /** The request has not arrived yet. */
  | 'all'
  /** Only the end of the connection. */
  | 'end'
  /** The request is refused. Reading on would let the client occupy the event loop for as long as it likes. */
  | 'nothing'

export interface Feeding {
  readonly interest: () => Interest
  /** Resolves when the first bytes of this connection may be parsed; never if it ends before. */
  readonly turn: (first: Buffer) => Promise<void>
}

/**
 * Feeds an HTTP connection to Node's parser in its turn, in small pieces, and only as long as its request is of interest.
 * Otherwise the parser would process all connections with data in one turn of the event loop, and create objects for all of
 * the thousand requests that fit into one read, although only the first is answered.
 */
export function feedInPieces(socket: Socket, { interest, turn }: Feeding): void {
  const parsers = socket.listeners('data') as ((piece: Buffer) => void)[]
  // On a Node version whose parser reads by other means, the limits of the server still apply, but not the pace.
  if (parsers.length === 0) return
  for (const parse of parsers) socket.off('data', parse)
  // With a `data` listener that is not its own, Node's parser no longer reads from the socket directly.
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
