import { readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Server } from 'node:tls'

import type { SiteFiles } from '../material/site.js'
import { answeringServer } from './answering-server.js'
import type { ReloadReport, Subject, SubjectOptions } from './subject.js'

/** The common code: reads the files and calls `setSecureContext`, all on the main thread. */
export function naiveSubject({ files, ports = [0], requestCert = false }: SubjectOptions): Subject {
  const policy = { requestCert, rejectUnauthorized: false }
  const servers = ports.map(() => answeringServer({ ...read(files), ...policy }))
  for (const server of servers) addHosts(server, files)
  return {
    servers,
    async reload() {
      const start = performance.now()
      const material = read(files)
      for (const server of servers) {
        server.setSecureContext(material)
        addHosts(server, files)
      }
      return report('applied', performance.now() - start)
    },
  }
}

/** The same code, called by `fs.watch`; it may read a half-written pair. */
export function naiveWatchSubject(options: SubjectOptions): Subject {
  const { servers, reload } = naiveSubject(options)
  const watcher = watch(options.files.dir, (_event, name) => {
    // A certificate without its key is refused; the event of the other file follows.
    if (name && !name.endsWith('.tmp')) void reload().catch(() => {})
  })
  servers[0]?.on('close', () => watcher.close())
  return { servers, reload: async () => report('watched', 0) }
}

/** Loads all hosts, because the changed one is unknown. */
function addHosts(server: Server, { dir, hosts }: SiteFiles): void {
  if (!hosts) return
  for (const index of readdirSync(join(dir, 'hosts'))) {
    const folder = join(dir, 'hosts', index)
    server.addContext(`h${index}.bench.test`, {
      cert: readFileSync(join(folder, 'tls.crt')),
      key: readFileSync(join(folder, 'tls.key')),
    })
  }
}

function read({ cert, key, ca, passphrase }: SiteFiles) {
  return {
    cert: readFileSync(cert),
    key: readFileSync(key),
    ...(ca ? { ca: readFileSync(ca) } : {}),
    ...(passphrase ? { passphrase } : {}),
  }
}

function report(outcome: string, tookMs: number): ReloadReport {
  return {
    outcome,
    problems: [],
    prepareMs: 0,
    stageMs: tookMs,
    commitMs: 0,
    verifyMs: 0,
    longestSliceMs: tookMs,
  }
}
