import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'

import { answeringServer } from './answering-server.js'
import type { Subject, SubjectOptions } from './subject.js'

interface Pair {
  readonly cert: string
  readonly key: string
}

const ACT = `
  const { createPrivateKey, X509Certificate } = require('node:crypto')
  const { readFileSync } = require('node:fs')
  const { parentPort } = require('node:worker_threads')
  require('node:os').setPriority(5)
  parentPort.on('message', (files) => {
    const [cert, key] = [files.cert, files.key].map((path) => readFileSync(path, 'utf8'))
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('not a pair')
    parentPort.postMessage({ cert, key })
  })
`

/**
 * The minimal reload whose files are read in another thread, at the priority of the engine's threads: the pair is parsed and
 * matched there, and loaded here, without any other check.
 */
export function errandSubject({ files, ports = [0] }: SubjectOptions): Subject {
  const { cert, key } = files
  const servers = ports.map(() => answeringServer({ cert: readFileSync(cert), key: readFileSync(key) }))
  const thread = new Worker(ACT, { eval: true })
  thread.unref()
  return {
    servers,
    async reload() {
      const startMs = performance.now()
      thread.postMessage({ cert, key })
      const [pair] = (await once(thread, 'message')) as [Pair]
      const preparedMs = performance.now()
      for (const server of servers) server.setSecureContext(pair)
      const stageMs = performance.now() - preparedMs
      return {
        ...{ outcome: 'applied', problems: [], prepareMs: preparedMs - startMs, stageMs },
        ...{ commitMs: 0, verifyMs: 0, longestSliceMs: stageMs },
      }
    },
  }
}
