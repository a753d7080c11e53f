import { createReloadEngine, type Logger } from '../../src/main/index.js'
import { answeringServer } from './answering-server.js'
import type { Subject, SubjectOptions } from './subject.js'

/** The engine of this repository with its default logger. */
export async function certswapSubject(options: SubjectOptions): Promise<Subject> {
  const { files, caDir, ports = [0], requestCert = false, verifyServed = true } = options
  const { cert, key, ca, hosts, passphrase } = files
  const engine = await createReloadEngine({
    ...{ cert, key, requestCert, rejectUnauthorized: false, verifyServed },
    ...(ca ? { ca } : {}),
    ...(hosts ? { hosts } : {}),
    ...(caDir ? { caDir } : {}),
    ...(passphrase ? { passphrase } : {}),
    ...(options.silent ? { logger: NOBODY } : {}),
  })
  const servers = ports.map(() => answeringServer(engine.serverOptions()))
  for (const server of servers) engine.attach(server)
  return {
    servers,
    async reload() {
      const { outcome, problems, timings } = await engine.reload()
      return { outcome, problems: problems.map(({ code }) => code), ...timings }
    },
    timer: {
      set(intervalMs) {
        engine.autoReloadInterval = intervalMs / 1000
      },
      wakes: () => engine.status().passes.unchanged,
    },
  }
}

const NOBODY: Logger = { debug() {}, info() {}, warn() {}, error() {} }
