import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { PassThrough, type Readable } from 'node:stream'

import type { LibraryConnection, Seen } from './client-library.js'

/** Sends a `POST`, whose body may go on; resolves with the body of the response once its headers are there. */
export type Post = (body: Readable) => Promise<Readable>

/** A request to `startMutualHttps()`. */
export async function ask(post: Post): Promise<Seen> {
  const request = await holdRequest(post)
  const seen = await request.query()
  await request.close()
  return seen
}

/** A request that stays in progress, and with it its connection. */
export async function holdRequest(post: Post): Promise<LibraryConnection> {
  const body = new PassThrough()
  // The failure is that of the request.
  body.on('error', () => {})
  // Some libraries send the headers with the first piece of the body.
  body.write('.')
  const lines = createInterface({ input: await post(body) })
  await once(lines, 'line')
  return {
    async query() {
      const line = once(lines, 'line')
      body.write('.')
      return JSON.parse(((await line) as [string])[0]) as Seen
    },
    async close() {
      const end = once(lines, 'close')
      body.end()
      await end
    },
  }
}
