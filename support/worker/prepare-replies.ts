import { EventEmitter, on } from 'node:events'
import type { TestContext } from 'node:test'
import { BroadcastChannel } from 'node:worker_threads'

/** A worker entry that prepares as the real one does, and tells {@link replyKinds} how each of its tasks ended. */
export const watchedPrepareTasks: URL = new URL('./watched-prepare.js', import.meta.url)

/** What the watched worker replied, one after the other. */
export function replyKinds(t: TestContext): { next(): Promise<ReplyKind> } {
  const channel = new BroadcastChannel(REPLY_CHANNEL)
  const replies = new EventEmitter()
  const kinds = on(replies, 'reply')
  channel.onmessage = ({ data }: MessageEvent) => replies.emit('reply', data)
  t.after(() => channel.close())
  return {
    async next() {
      const { value } = await kinds.next()
      return (value as [ReplyKind])[0]
    },
  }
}

export type ReplyKind = 'unchanged' | 'unchanged, with a new record' | 'prepared or refused'

export const REPLY_CHANNEL = 'certswap-test-prepare-replies'
