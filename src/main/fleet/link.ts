import type { Worker as ClusterWorker } from 'node:cluster'
import type { EventEmitter } from 'node:events'
import type { MessagePort, Worker as ThreadWorker } from 'node:worker_threads'

import { type Envelope, MESSAGES_VERSION } from './messages.js'

/** One end of a channel between the process that prepares and one that serves. */
export interface Link<Out> {
  /** Whether it carries JSON alone, so that bytes have to be text. */
  readonly asText: boolean
  /** The worker, thread, port or process at the other end. */
  readonly peer: object
  /**
   * Lost without an error where the other end has gone: `onClose` reports that. `sent` is called once the message is
   * not read any more, whether it has left or is lost.
   */
  send(message: Out, sent?: () => void): void
  /**
   * Nothing has been looked at in a message but its version: `misread` gets what another release has sent, with the
   * version of that (0 for releases without one).
   */
  onMessage(listener: (message: unknown) => void, misread: (version: number, message: unknown) => void): void
  onClose(listener: () => void): void
  /** Listens no more. */
  release(): void
}

/** Either end of what messages travel by. */
export interface Channel {
  /** Emits `message`, and one of `ends` when the other end has gone. */
  readonly emitter: EventEmitter
  readonly post: (envelope: object, sent: () => void) => void
  readonly ends: readonly string[]
  readonly asText: boolean
}

/** A cluster worker, seen from the primary. `asText` unless the cluster's `serialization` is `advanced`. */
export function clusterChannel(worker: ClusterWorker, asText: boolean): Channel {
  const post: Channel['post'] = (envelope, sent) => {
    // It may wait for a handle that goes before it, unread until then.
    if (worker.isConnected()) worker.send(envelope, () => sent())
    else sent()
  }
  return { emitter: worker, post, ends: ['disconnect', 'exit'], asText }
}

/** A thread, or a port to one, seen from either side. */
export function threadChannel(port: ThreadWorker | MessagePort): Channel {
  // A port has the methods of an emitter that are used here.
  const emitter = port as unknown as EventEmitter
  const post: Channel['post'] = (envelope, sent) => {
    port.postMessage(envelope)
    sent()
  }
  return { emitter, post, ends: ['exit', 'close'], asText: false }
}

/** The primary, seen from a process that was forked. */
export function parentChannel(parent: NodeJS.Process): Channel {
  const post: Channel['post'] = (envelope, sent) => {
    if (parent.connected && parent.send) parent.send(envelope, undefined, {}, () => sent())
    else sent()
  }
  // What a member sends holds no bytes.
  return { emitter: parent, post, ends: ['disconnect'], asText: false }
}

/** The messages of one fleet on a channel. */
export function openLink<Out>({ emitter, post, ends, asText }: Channel, fleet: string): Link<Out> {
  const listeners: (() => void)[] = []
  const listen = (event: string, listener: (...args: never[]) => void) => {
    emitter.on(event, listener as () => void)
    listeners.push(() => emitter.off(event, listener as () => void))
  }
  return {
    asText,
    peer: emitter,
    send: (message, sent = () => {}) =>
      post({ certswap: fleet, version: MESSAGES_VERSION, message } satisfies Envelope<Out>, sent),
    onMessage(listener, misread) {
      listen('message', (envelope: Envelope<unknown> | null) => {
        if (envelope?.certswap !== fleet) return
        const { version, message } = envelope
        if (version === MESSAGES_VERSION) listener(message)
        else misread(Number.isSafeInteger(version) ? (version as number) : 0, message)
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
