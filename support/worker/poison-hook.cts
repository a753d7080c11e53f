/*
 * Makes a worker thread misbehave on chosen content, in the middle of its real work: preloaded by `--require`, or imported by
 * `stand-in-tasks.ts`. The content, by hash, and the misbehaviour are in the file that CERTSWAP_POISONS names.
 */

const crypto = require('node:crypto') as typeof import('node:crypto')
const fs = require('node:fs') as typeof import('node:fs')
const { syncBuiltinESMExports } = require('node:module') as typeof import('node:module')
const tls = require('node:tls') as typeof import('node:tls')
const { isMainThread } = require('node:worker_threads') as typeof import('node:worker_threads')

const { createHash, createPrivateKey, X509Certificate } = crypto
const { existsSync, openSync, readFileSync } = fs
const { createSecureContext } = tls

function misbehave(how: string): void {
  if (how === 'exits') process.exit(3)
  if (how === 'hoards') hoard()
  if (how === 'spins') for (;;);
  // A system call that only a writer ends, like OpenSSL's derivation of a key or a dead network drive.
  openSync(`${process.env['CERTSWAP_POISONS']}.fifo`, 'r')
}

function hoard(): void {
  const all: number[][] = []
  for (;;) all.push(Array.from({ length: 10_000 }, (_, i) => i + 0.5))
}

function poisonOf(content: unknown): string | undefined {
  const list = process.env['CERTSWAP_POISONS']
  const der = derOf(content)
  if (list === undefined || !der || !existsSync(list)) return undefined
  const hash = createHash('sha256').update(der).digest('hex')
  return (JSON.parse(readFileSync(list, 'utf8')) as Record<string, string>)[hash]
}

/** The bytes of a PEM block or of DER, in any form that Node accepts. */
function derOf(content: unknown): Uint8Array | undefined {
  if (typeof content === 'string') return Buffer.from(content.split('-----')[2] ?? '', 'base64')
  if (content instanceof Uint8Array) return content
  const { key } = Object(content) as { key?: unknown }
  return key === undefined ? undefined : derOf(key)
}

if (!isMainThread) {
  crypto.createPrivateKey = (key) => {
    const how = poisonOf(key)
    if (how !== undefined) misbehave(how)
    return createPrivateKey(key)
  }
  crypto.X509Certificate = class Certificate extends X509Certificate {
    readonly #throws: boolean

    constructor(content: ConstructorParameters<typeof X509Certificate>[0]) {
      const how = poisonOf(content)
      if (how !== undefined && how !== 'throws') misbehave(how)
      super(content)
      this.#throws = how === 'throws'
    }

    // Where the real work expects no error.
    override toString(): string {
      if (this.#throws) throw new RangeError('unexpected')
      return super.toString()
    }
  }
  // OpenSSL reads a revocation list only here.
  tls.createSecureContext = (options) => {
    const how = poisonOf(options?.crl)
    if (how !== undefined) misbehave(how)
    return createSecureContext(options)
  }
  syncBuiltinESMExports()
}
