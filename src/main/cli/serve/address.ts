import { CommandError, EXIT } from '../exit-codes.js'

export interface ListenAddress {
  /** Absent for every interface. */
  readonly host?: string
  readonly port: number
}

const ADDRESS = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]*):)?(\d{1,5})$/

/**
 * `HOST:PORT`, `[IPV6]:PORT`, `:PORT` (every interface) or `PORT` (loopback).
 *
 * @throws CommandError of usage.
 */
export function parseAddress(text: string): ListenAddress {
  const match = ADDRESS.exec(text)
  const port = Number(match?.[2])
  if (!match || port > 65_535) {
    throw new CommandError(
      EXIT.usage,
      `--listen: expected HOST:PORT with a port up to 65535, got ${JSON.stringify(text)}`,
    )
  }
  const host = match[1]?.replace(/^\[|\]$/g, '')
  if (host === '') return { port }
  return { host: host ?? '127.0.0.1', port }
}

/** The URL of a server that listens there, as one would type it. */
export function urlOf({ address, port }: { address: string; port: number }): string {
  const any = address === '::' || address === '0.0.0.0'
  const host = any ? 'localhost' : address.includes(':') ? `[${address}]` : address
  return `https://${host}:${port}/`
}
