import { createDecipheriv, KeyObject } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'

import { SECRETS_VARIABLE } from './secret-account.js'

/* The side of `accountForSecrets()` in a thread. It records every buffer from the moment when it is loaded. */

const account = process.env[SECRETS_VARIABLE] as string
const secrets = Object.entries(JSON.parse(readFileSync(account, 'utf8')) as Record<string, string>).map(
  ([name, hex]) => [name, Buffer.from(hex, 'hex')] as const,
)

/** No smaller buffer can hold one. */
const shortest = Math.min(...secrets.map(([, bytes]) => bytes.length))

/** Every buffer that this thread creates from now on; none is released, so that none is missed. */
const made = new Set<Uint8Array>()
const { from, prototype } = Buffer
const decipher = Object.getPrototypeOf(
  createDecipheriv('aes-128-cbc', Buffer.alloc(16), Buffer.alloc(16)),
) as object

for (const name of ['from', 'alloc', 'allocUnsafe', 'allocUnsafeSlow', 'concat']) record(Buffer, name)
for (const name of ['update', 'final']) record(decipher, name)
record(KeyObject.prototype, 'export')
globalThis.Uint8Array = new Proxy(Uint8Array, {
  construct: (type, args, target) => kept(Reflect.construct(type, args, target) as Uint8Array),
})
countWipes(prototype)
countWipes(Object.getPrototypeOf(Uint8Array.prototype) as object)

/** A task that searches every recorded buffer before and after it. */
export function accounted<Task, Reply>(
  name: string,
  act: (task: Task) => Promise<Reply>,
): (task: Task) => Promise<Reply> {
  return async (task) => {
    // Transferred buffers are detached by now.
    look(`before ${name}`, [])
    let handedOver: readonly unknown[] = []
    try {
      const reply = await act(task)
      handedOver = transferredIn(reply)
      return reply
    } finally {
      look(`after ${name}`, handedOver)
    }
  }
}

function look(when: string, handedOver: readonly unknown[]): void {
  for (const buffer of made) {
    const secret = handedOver.includes(buffer.buffer) ? undefined : secretIn(buffer)
    if (secret !== undefined) appendFileSync(`${account}.left`, `${secret}, ${when}\n`)
  }
}

function secretIn({ buffer, byteOffset, byteLength }: Uint8Array): string | undefined {
  if (byteLength === 0) return undefined
  const view = from(buffer, byteOffset, byteLength)
  return secrets.find(([, bytes]) => view.includes(bytes))?.[0]
}

/** The buffers that Piscina's `move()` transfers. */
function transferredIn(reply: unknown): readonly unknown[] {
  const lists = reply as Record<symbol, readonly unknown[] | undefined>
  return lists[Symbol.for('Piscina.transferable')] ?? []
}

function kept<T>(buffer: T): T {
  if (ArrayBuffer.isView(buffer) && buffer.byteLength >= shortest) made.add(buffer as unknown as Uint8Array)
  return buffer
}

function record(owner: object, name: string): void {
  const methods = owner as Record<string, (...args: unknown[]) => unknown>
  const method = methods[name] as (...args: unknown[]) => unknown
  methods[name] = function (this: unknown, ...args: unknown[]) {
    return kept(method.apply(this, args))
  }
}

/** Without any, there would be nothing to account for. */
function countWipes(owner: object): void {
  const methods = owner as { fill(...args: unknown[]): unknown }
  const { fill } = methods
  methods.fill = function (this: Uint8Array, ...args: unknown[]) {
    if (args[0] === 0 && secretIn(this) !== undefined) appendFileSync(`${account}.wiped`, 'wiped\n')
    return fill.apply(this, args)
  }
}
