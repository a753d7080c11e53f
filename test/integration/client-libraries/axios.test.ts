/* axios with the agent of an engine, and a server of Node; the server reports the serials. */

import type { Agent } from 'node:https'
import type { Readable } from 'node:stream'

import axios from 'axios'

import { ask, holdRequest, type Post } from '../../../support/clients/http-library.js'
import { proveLibrary } from '../../../support/clients/library-proof.js'
import { startMutualHttps } from '../../../support/servers/mutual-https.js'

proveLibrary({
  name: 'axios',
  without: false,
  startServer: startMutualHttps,
  async open(engine, port) {
    const client = (): { agent: Agent; post: Post } => {
      const agent = engine.agent({ keepAlive: true })
      const instance = axios.create({ httpsAgent: agent, baseURL: `https://localhost:${port}` })
      // To follow redirects, it would read the whole body first.
      const options = { responseType: 'stream', maxRedirects: 0 } as const
      return { agent, post: async (body) => (await instance.post<Readable>('/', body, options)).data }
    }
    const { agent, post } = client()
    return {
      query: () => ask(post),
      async connect() {
        const other = client()
        const held = await holdRequest(other.post)
        const close = async () => {
          await held.close()
          other.agent.destroy()
        }
        return { query: held.query, close }
      },
      // The agent does it with each generation.
      retire() {},
      close: async () => agent.destroy(),
    }
  },
})
