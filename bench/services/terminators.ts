import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { renameInto } from '../../support/files/files.js'
import { freePort } from '../../support/servers/free-port.js'
import { startChild } from '../process/child.js'
import type { BackendCalls } from './backend.js'
import { scratchDirectory, startDaemon } from './daemon.js'
import type { Peer } from './peer.js'
import type { Service } from './service.js'

/* Servers that only terminate TLS; a process of the bench answers the requests. */

export const stunnel: Peer = {
  name: 'stunnel',
  program: 'stunnel4',
  versionFlag: '-version',
  reloadBy: 'SIGHUP',
  // It can require client certificates, but not request them optionally.
  takesAuthorities: false,
  start: (path, { cert, key }) =>
    startTerminator(path, ({ dir, port, backendPort }) => {
      const config = `foreground = yes\npid =\ndebug = 0\n[site]\naccept = 127.0.0.1:${port}\nconnect = 127.0.0.1:${backendPort}\ncert = ${cert}\nkey = ${key}\n`
      const file = join(dir, 'stunnel.conf')
      writeFileSync(file, config)
      return [file]
    }),
}

export const hitch: Peer = {
  name: 'hitch',
  program: 'hitch',
  versionFlag: '--version',
  reloadBy: 'SIGHUP',
  takesAuthorities: false,
  start(path, { cert, key }) {
    let renew = () => {}
    return startTerminator(
      path,
      ({ dir, port, backendPort }) => {
        const pem = join(dir, 'site.pem')
        renew = () => renameInto(pem, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'))
        renew()
        // It refuses to run as root.
        const user = process.geteuid?.() === 0 ? 'user = "nobody"\n' : ''
        const file = join(dir, 'hitch.conf')
        writeFileSync(
          file,
          `frontend = "[127.0.0.1]:${port}"\nbackend = "[127.0.0.1]:${backendPort}"\npem-file = "${pem}"\nworkers = 1\nquiet = on\n${user}`,
        )
        return [`--config=${file}`]
      },
      () => renew(),
    )
  },
}

interface Place {
  readonly dir: string
  readonly port: number
  readonly backendPort: number
}

async function startTerminator(
  path: string,
  configure: (place: Place) => string[],
  beforeReload: () => void = () => {},
): Promise<Service> {
  const backend = startChild<BackendCalls>(new URL('./backend.js', import.meta.url))
  const place = { dir: scratchDirectory(), port: await freePort(), backendPort: await backend.call('start') }
  const daemon = await startDaemon(path, configure(place), place)
  return {
    port: place.port,
    async reload() {
      beforeReload()
      daemon.process.kill('SIGHUP')
      return undefined
    },
    async stop() {
      await daemon.stop()
      await backend.stop()
    },
  }
}
