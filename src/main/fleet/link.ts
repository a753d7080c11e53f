import type { Worker as ClusterWorker } from 'node:cluster'
import type { EventEmitter } from 'node:events'
import type { MessagePort, Worker as ThreadWorker } from 'node:worker_threads'

import { type Envelope, MESSAGES_VERSION } from './messages.js'

/** One end of a channel between the primary and a member. */
export interface Link<Out> {
  /** Whether the channel carries only JSON, so that bytes must be sent as text. */
  readonly asText: boolean
  /** The worker, thread, port or process at the other end. */
  readonly peer: object
  /**
   * Sends a message. If the other end has closed, the message is lost without an error; `onClose` reports that.
   *
   * @param sent called when the message object is no longer read, after it was sent or lost.
   */
  send(message: Out, sent?: () => void): void
  /**
   * Listens for messages, of which only the version has been checked.
   *
   * @param misread gets a message of another release, with its version (0 for releases without one).
   */
  onMessage(listener: (message: unknown) => void, misread: (version: number, message: unknown) => void): void
  onClose(listener: () => void): void
  /** Removes all listeners. */
  release(): void
}

/** One end of a message channel. */
export interface Channel {
  /** Emits `message`, and one of `ends` when the other end has closed. */
  readonly emitter: EventEmitter
  readonly post: (envelope: object, sent: () => void) => void
  readonly ends: readonly string[]
  readonly asText: boolean
}

/** The primary's channel to a cluster worker. `asText` unless the cluster's `serialization` is `advanced`. */
export function clusterChannel(worker: ClusterWorker, asText: boolean): Channel {
  const post: Channel['post'] = (envelope, sent) => {
    // Node may keep it, unserialized, until the handle of an earlier message has been acknowledged.
    if (worker.isConnected()) worker.send(envelope, () => sent())
    else sent()
  }
  return { emitter: worker, post, ends: ['disconnect', 'exit'], asText }
}

/** A channel to or from a thread, by its `Worker` or a port. */
export function threadChannel(port: ThreadWorker | MessagePort): Channel {
  // A port has the methods of an emitter that are used here.
  const emitter = port as unknown as EventEmitter
  const post: Channel['post'] = (envelope, sent) => {
    port.postMessage(envelope)
    sent()
  }
  return { emitter, post, ends: ['exit', 'close'], asText: false }
}

/** A forked process's channel to the primary. */
export function parentChannel(parent: NodeJS.Process): Channel {
  const post: Channel['post'] = (envelope, sent) => {
    if (parent.connected && parent.send) parent.send(envelope, undefined, {}, () => sent())
    else sent()
  }
  // A member sends no bytes.
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
