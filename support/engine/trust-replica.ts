/*
 * Another process with the same files and the same ticket secret, like a replica behind a load balancer, controlled over its
 * channel. Started by the trust matrix.
 */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import {
  createReloadEngine,
  type EngineChanges,
  type ReloadEngine,
  type ReloadEngineOptions,
  type ReloadResult,
} from '../../src/main/index.js'
import { recordingLogger } from '../base/recording-logger.js'
import { createGreeter } from '../clients/admission.js'

export type ReplicaOrder =
  | { readonly kind: 'open'; readonly options: ReloadEngineOptions }
  | { readonly kind: 'reload' }
  | { readonly kind: 'rollback'; readonly trust: boolean }
  | { readonly kind: 'update'; readonly changes: EngineChanges }

export interface ReplicaAnswer {
  readonly port?: number
  readonly outcome?: string
  readonly error?: string
}

let engine: ReloadEngine | undefined

process.on('message', (order: ReplicaOrder) => {
  obey(order).then(
    (answer) => process.send?.(answer),
    (error: Error) => process.send?.({ error: String(error) } satisfies ReplicaAnswer),
  )
})
process.once('disconnect', () => process.exit())

async function obey(order: ReplicaOrder): Promise<ReplicaAnswer> {
  if (order.kind === 'open') {
    await engine?.close()
    engine = await createReloadEngine({ ...order.options, logger: recordingLogger() })
    const server = createGreeter(engine.serverOptions())
    engine.attach(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.unref()
    return { port: (server.address() as AddressInfo).port }
  }
  if (!engine) throw new Error('no engine is open')
  if (order.kind === 'reload') return answerOf(await engine.reload())
  if (order.kind === 'update') return answerOf(await engine.update(order.changes))
  return answerOf(await engine.rollback({ trust: order.trust }))
}

function answerOf({ outcome, problems }: ReloadResult): ReplicaAnswer {
  return outcome === 'applied' ? { outcome } : { outcome, error: JSON.stringify(problems) }
}
