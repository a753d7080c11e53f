/* A server with hosts on demand, in a process of its own. */
import type { AddressInfo } from 'node:net'
import type tls from 'node:tls'

import { createReloadEngine, type HostDelivery, SourceError } from '../../src/main/index.js'
import type { SiteFiles } from '../material/site.js'
import { answerCalls } from '../process/calls.js'
import { answeringServer } from './answering-server.js'
import { collectEveryThread } from './collect-garbage.js'

export interface OnDemandStart {
  readonly files: SiteFiles
  /** A pair for every name of the store. */
  readonly pair: { readonly cert: string; readonly key: string }
  /** The store has the names `h0` to `hN` below `hosts.example`. */
  readonly names: number
}

export interface OnDemandCalls {
  start(options: OnDemandStart): Promise<{ readonly port: number; readonly startMs: number }>
  /** Requests for names that do not exist, without connections. @returns memory in bytes before and after */
  flood(names: number): Promise<{ readonly beforeBytes: number; readonly afterBytes: number }>
}

let options: tls.TlsOptions

answerCalls<OnDemandCalls>({
  async start({ files: { cert, key }, pair, names }) {
    const store = new Map<string, HostDelivery>()
    for (let i = 0; i < names; i++) store.set(`h${i}.hosts.example`, { version: '1', ...pair })
    const source = {
      name: 'store',
      async read(): Promise<never> {
        throw new SourceError('SOURCE_INVALID', 'this store has hosts only')
      },
      readHost: async ({ name }: { readonly name: string }) => store.get(name) ?? 'none',
    }
    const began = performance.now()
    const engine = await createReloadEngine({
      cert,
      key,
      hosts: { onDemand: { source, allow: ['*.example'] } },
    })
    const startMs = performance.now() - began
    options = engine.serverOptions()
    const server = answeringServer(options)
    engine.attach(server)
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    return { port: (server.address() as AddressInfo).port, startMs }
  },
  async flood(names) {
    // Fills what is bounded, so that only growth beyond the bounds remains.
    await flood('warm', names / 2)
    const beforeBytes = await memory()
    await flood('absent', names)
    return { beforeBytes, afterBytes: await memory() }
  },
})

const AT_ONCE = 50

async function flood(prefix: string, names: number): Promise<void> {
  for (let i = 0; i < names; i += AT_ONCE) {
    const asked = Array.from({ length: AT_ONCE }, (_, j) => ask(`${prefix}-${i + j}.absent.example`))
    await Promise.all(asked)
  }
}

function ask(servername: string): Promise<void> {
  return new Promise((resolve) => options.SNICallback?.(servername, () => resolve()))
}

async function memory(): Promise<number> {
  await collectEveryThread()
  return process.memoryUsage().rss
}
