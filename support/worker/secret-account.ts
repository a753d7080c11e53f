import { createPrivateKey } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { Piscina } from 'piscina'

import { tempDir } from '../files/temp-dir.js'

/** The variable with the path of the file of secrets, for threads. */
export const SECRETS_VARIABLE = 'CERTSWAP_TEST_SECRETS'

/** Secrets by name. */
export type Secrets = Readonly<Record<string, Uint8Array>>

export interface SecretAccount {
  /** Secrets that a thread had in a buffer when a task began or ended, and did not transfer. */
  left(): string[]
  /** How often a thread has overwritten a buffer with a secret in it. */
  readonly wiped: number
  /** Buffers with a secret that have arrived on the main thread, and still contain it. */
  readonly held: number
  /** The number of buffers with a secret that have arrived on the main thread. */
  readonly received: number
}

/** Accounts for these secrets in threads that start from now on, and in their replies. */
export function accountForSecrets(t: TestContext, secrets: Secrets): SecretAccount {
  const path = join(tempDir(t), 'secrets.json')
  const hex = Object.entries(secrets).map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')])
  writeFileSync(path, JSON.stringify(Object.fromEntries(hex)))
  process.env[SECRETS_VARIABLE] = path
  const received: Uint8Array[] = []
  const { run } = Piscina.prototype
  t.mock.method(Piscina.prototype, 'run', async function (this: Piscina, ...args: Parameters<typeof run>) {
    const reply: unknown = await run.apply(this, args)
    received.push(...bytesIn(reply).filter((bytes) => holdsAny(bytes, secrets)))
    return reply
  })
  t.after(() => delete process.env[SECRETS_VARIABLE])
  const lines = (kind: string) =>
    existsSync(`${path}.${kind}`) ? readFileSync(`${path}.${kind}`, 'utf8').trim().split('\n') : []
  return {
    left: () => lines('left'),
    get wiped() {
      return lines('wiped').length
    },
    get held() {
      return received.filter((bytes) => holdsAny(bytes, secrets)).length
    },
    get received() {
      return received.length
    },
  }
}

/** The parts of a key that must not remain: its private number, and lines of its PEM. */
export function secretsOfKey(name: string, keyPem: string, forms: readonly string[] = [keyPem]): Secrets {
  const { d = '' } = createPrivateKey(keyPem).export({ format: 'jwk' })
  // The first line is similar for all keys.
  const lines = forms.map(
    (form, i) => [`${name}, PEM ${i + 1}`, Buffer.from(form.split('\n')[2] ?? '')] as const,
  )
  return { [`${name}, private number`]: Buffer.from(d, 'base64url'), ...Object.fromEntries(lines) }
}

function holdsAny(bytes: Uint8Array, secrets: Secrets): boolean {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Object.values(secrets).some((secret) => view.includes(Buffer.from(secret)))
}

function bytesIn(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array) return [value]
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return []
  return Object.values(value).flatMap(bytesIn)
}
