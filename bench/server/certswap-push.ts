import { readFile } from 'node:fs/promises'

import { createReloadEngine, type MaterialSource, type ReloadResult } from '../../src/main/index.js'
import { answeringServer } from './answering-server.js'
import type { Subject, SubjectOptions } from './subject.js'

/** The engine with a source that announces each renewal. It reads the same files, so that only the way to the engine differs. */
export async function certswapPushSubject({ files, ports = [0] }: SubjectOptions): Promise<Subject> {
  let push = () => {}
  let count = 0
  const source: MaterialSource = {
    name: 'files',
    async read() {
      const [cert, key, ca] = await Promise.all([files.cert, files.key, files.ca].map(bytesOf))
      const version = String(++count)
      return { version, pairs: [{ cert: cert as Buffer, key: key as Buffer }], ...(ca ? { ca: [ca] } : {}) }
    },
    watch(changed) {
      push = changed
    },
  }
  const engine = await createReloadEngine({ source, rejectUnauthorized: false })
  const servers = ports.map(() => answeringServer(engine.serverOptions()))
  for (const server of servers) engine.attach(server)
  return {
    servers,
    async reload() {
      const settled = new Promise<ReloadResult>((resolve) => {
        engine.once('settled', resolve)
      })
      push()
      const { outcome, problems, timings } = await settled
      return { outcome, problems: problems.map(({ code }) => code), ...timings }
    },
  }
}

async function bytesOf(path: string | undefined): Promise<Buffer | null> {
  return path === undefined ? null : await readFile(path)
}
