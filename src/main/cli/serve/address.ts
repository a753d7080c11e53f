import { CommandError, EXIT } from '../exit-codes.js'

export interface ListenAddress {
  /** `undefined` for every interface. */
  readonly host?: string
  readonly port: number
}

const ADDRESS = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]*):)?(\d{1,5})$/

/** A TCP service, or one on a Unix socket. */
export type UpstreamAddress = ListenAddress | { readonly path: string }

/**
 * Parses `HOST:PORT`, `[IPV6]:PORT`, `:PORT` (every interface) or `PORT` (loopback).
 *
 * @throws CommandError `EXIT.usage`
 */
export function parseAddress(text: string, flag = '--listen'): ListenAddress {
  const match = ADDRESS.exec(text)
  const port = Number(match?.[2])
  if (!match || port > 65_535) {
    throw new CommandError(
      EXIT.usage,
      `${flag}: expected HOST:PORT with a port up to 65535, got ${JSON.stringify(text)}`,
    )
  }
  const host = match[1]?.replace(/^\[|\]$/g, '')
  if (host === '') return { port }
  return { host: host ?? '127.0.0.1', port }
}

/**
 * Parses `unix:PATH`, or an address of {@link parseAddress}.
 *
 * @throws CommandError `EXIT.usage`
 */
export function parseUpstream(text: string): UpstreamAddress {
  if (text.startsWith(UNIX) && text !== UNIX) return { path: text.slice(UNIX.length) }
  return parseAddress(text, '--upstream')
}

/** Prefix of the path of a Unix socket. */
export const UNIX = 'unix:'

/** The URL of a server at this address, with `localhost` for every interface. */
export function urlOf({ address, port }: { address: string; port: number }): string {
  const any = address === '::' || address === '0.0.0.0'
  const host = any ? 'localhost' : address.includes(':') ? `[${address}]` : address
  return `https://${host}:${port}/`
}
