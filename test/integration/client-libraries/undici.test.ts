/*
 * undici, and the `fetch` of Node with a pool of undici, and a server of Node; the server reports the serials. A pool copies its
 * options once, so each generation gets a pool of its own.
 */

import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'

import { Agent, request } from 'undici'

import { ask, holdRequest, type Post } from '../../../support/clients/http-library.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { startMutualHttps } from '../../../support/servers/mutual-https.js'

type PostWith = (pool: Agent, url: string) => Post

provePools('undici', (dispatcher, url) => async (body) => {
  return (await request(url, { method: 'POST', body, dispatcher })).body
})

provePools('the fetch of Node', (dispatcher, url) => async (body) => {
  const options = { method: 'POST', body: Readable.toWeb(body), duplex: 'half', dispatcher }
  const response = await fetch(url, options as unknown as RequestInit)
  return Readable.fromWeb(response.body as ReadableStream)
})

function provePools(name: string, postWith: PostWith): void {
  proveLibrary({
    name,
    without: false,
    startServer: startMutualHttps,
    async open(engine, port) {
      const url = `https://localhost:${port}/`
      const openPool = () => new Agent({ connect: engine.clientOptions() })
      let pool = openPool()
      engine.on('applied', () => {
        const former = pool
        pool = openPool()
        void former.close()
      })
      return {
        query: () => ask(postWith(pool, url)),
        async connect() {
          const other = openPool()
          const held = await holdRequest(postWith(other, url))
          const close = async () => {
            await held.close()
            await other.close()
          }
          return { query: held.query, close }
        },
        // Done with each generation.
        retire() {},
        close: () => pool.close(),
      }
    },
  })
}
