import type { Worker as ClusterWorker } from 'node:cluster'
import type { EventEmitter } from 'node:events'
import type { MessagePort, Worker as ThreadWorker } from 'node:worker_threads'

import type { Envelope } from './messages.js'

/** One end of a channel between the process that prepares and one that serves. */
export interface Link<In, Out> {
  /** Whether it carries JSON alone, so that bytes have to be text. */
  readonly asText: boolean
  /** Lost without an error where the other end has gone: its end is told by `onClose`. */
  send(message: Out): void
  onMessage(listener: (message: In) => void): void
  onClose(listener: () => void): void
  /** Listens no more. */
  release(): void
}

/** Either end of what messages travel by. */
export interface Channel {
  /** Emits `message`, and one of `ends` when the other end has gone. */
  readonly emitter: EventEmitter
  readonly post: (envelope: object) => void
  readonly ends: readonly string[]
  readonly asText: boolean
}

/** A cluster worker, seen from the primary. `asText` unless the cluster's `serialization` is `advanced`. */
export function clusterChannel(worker: ClusterWorker, asText: boolean): Channel {
  const post = (envelope: object) => void (worker.isConnected() && worker.send(envelope, () => {}))
  return { emitter: worker, post, ends: ['disconnect', 'exit'], asText }
}

/** A thread, or a port to one, seen from either side. */
export function threadChannel(port: ThreadWorker | MessagePort): Channel {
  // A port has the methods of an emitter that are used here.
  const emitter = port as unknown as EventEmitter
  return { emitter, post: (envelope) => port.postMessage(envelope), ends: ['exit', 'close'], asText: false }
}

/** The primary, seen from a process that was forked. */
export function parentChannel(parent: NodeJS.Process): Channel {
  const post = (envelope: object) =>
    void (parent.connected && parent.send?.(envelope, undefined, {}, () => {}))
  // What a member sends holds no bytes.
  return { emitter: parent, post, ends: ['disconnect'], asText: false }
}

/** The messages of one fleet on a channel. */
export function openLink<In, Out>({ emitter, post, ends, asText }: Channel, fleet: string): Link<In, Out> {
  const listeners: (() => void)[] = []
  const listen = (event: string, listener: (...args: never[]) => void) => {
    emitter.on(event, listener as () => void)
    listeners.push(() => emitter.off(event, listener as () => void))
  }
  return {
    asText,
    send: (message) => post({ certswap: fleet, message } satisfies Envelope<Out>),
    onMessage(listener) {
      listen('message', (envelope: Envelope<In> | null) => {
        if (envelope?.certswap === fleet) listener(envelope.message)
      })
    },
    onClose(listener) {
      for (const end of ends) listen(end, listener)
    },
    release() {
      for (const remove of listeners.splice(0)) remove()
    },
  }
}
