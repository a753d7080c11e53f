/*
 * A source of your own: the certificate is stored in etcd, as the keys PREFIX/cert and PREFIX/key, and read through its JSON
 * gateway. Store both in one transaction:
 *
 *   etcdctl txn <<< $'\nput certswap/web/cert "..."\nput certswap/web/key "..."\n\n'
 */

import https from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

import { createReloadEngine, SourceError } from 'certswap'

/** @returns {import('certswap').MaterialSource} */
function etcdSource(endpoint, prefix) {
  const base64 = (text) => Buffer.from(text).toString('base64')
  // etcd's form of "every key that begins with PREFIX/": `0` follows `/`.
  const range = { key: base64(`${prefix}/`), range_end: base64(`${prefix}0`) }
  const closing = new AbortController()

  async function call(path, body, signal) {
    const options = { method: 'POST', body: JSON.stringify(body), signal }
    const response = await fetch(new URL(path, endpoint), options).catch((cause) => {
      throw new SourceError('SOURCE_UNREACHABLE', `no answer from ${endpoint}`, { cause })
    })
    if (response.ok) return response
    const code = response.status === 401 || response.status === 403 ? 'SOURCE_DENIED' : 'SOURCE_UNREACHABLE'
    throw new SourceError(code, `${endpoint} answered ${response.status}`)
  }

  // Each answer on the watch stream is a reason to read again; so is a new stream, which may have missed a change.
  async function follow(changed) {
    while (!closing.signal.aborted) {
      try {
        const { body } = await call('/v3/watch', { create_request: range }, closing.signal)
        for await (const _ of body) changed()
      } catch {
        // read() reports the outage.
      }
      await sleep(1000, null, { ref: false, signal: closing.signal }).catch(() => {})
    }
  }

  return {
    name: 'etcd',

    // One range request shows both keys as of one revision, so a renewal is never torn.
    async read({ version, signal }) {
      const { kvs = [] } = await (await call('/v3/kv/range', range, signal)).json()
      if (kvs.length === 0) throw new SourceError('SOURCE_WITHDRAWN', `there is no key below ${prefix}/`)
      // The revision of each key: after a deletion, the highest one would be the same.
      const current = kvs.map(({ mod_revision }) => mod_revision).join('.')
      if (current === version) return 'unchanged'
      const contentOf = (name) => {
        const entry = kvs.find(({ key }) => key === base64(`${prefix}/${name}`))
        if (!entry?.value) throw new SourceError('SOURCE_INVALID', `the key ${prefix}/${name} is missing`)
        return Buffer.from(entry.value, 'base64')
      }
      return { version: current, pairs: [{ cert: contentOf('cert'), key: contentOf('key') }] }
    },

    watch(changed) {
      void follow(changed)
    },

    async close() {
      closing.abort()
    },
  }
}

const { ETCD = 'http://127.0.0.1:2379', PREFIX = 'certswap/web', PORT = '0' } = process.env
// The interval is the sweep that finds a change whose push was lost.
const engine = await createReloadEngine({ source: etcdSource(ETCD, PREFIX), autoReloadInterval: 60 })
const server = https.createServer(engine.serverOptions(), (_request, response) => response.end('hello\n'))
engine.attach(server)
server.listen(Number(PORT), () => console.log(`listening on https://localhost:${server.address().port}`))
