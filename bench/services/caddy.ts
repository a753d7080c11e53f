import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'

import { freePort } from '../../support/servers/free-port.js'
import { scratchDirectory, startDaemon } from './daemon.js'
import type { Peer } from './peer.js'

export const caddy: Peer = {
  name: 'Caddy',
  program: 'caddy',
  versionFlag: 'version',
  reloadBy: 'POST /load',
  takesAuthorities: true,
  async start(path, { cert, key, ca }) {
    const dir = scratchDirectory()
    const [port, adminPort] = [await freePort(), await freePort()]
    const trust = ca ? `{\n client_auth {\n mode request\n trusted_ca_cert_file ${ca}\n }\n }` : ''
    const config = `{
  admin 127.0.0.1:${adminPort}
  auto_https off
  storage file_system ${dir}
}
https://localhost:${port} {
  bind 127.0.0.1
  tls ${cert} ${key} ${trust}
  respond "ok"
}
`
    const file = join(dir, 'Caddyfile')
    writeFileSync(file, config)
    const adapted = spawnSync(path, ['adapt', '--config', file], { encoding: 'utf8', env: { HOME: dir } })
    if (adapted.status !== 0) throw new Error(`caddy refused its configuration: ${adapted.stderr}`)
    const daemon = await startDaemon(path, ['run', '--config', file], { port, dir })
    return {
      port,
      async reload() {
        await load(adminPort, adapted.stdout)
        return undefined
      },
      stop: daemon.stop,
    }
  },
}

/** The request of `caddy reload --force`, without starting a process. */
function load(port: number, config: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'cache-control': 'must-revalidate' }
    const request = http.request({ port, host: '127.0.0.1', path: '/load', method: 'POST', headers })
    request.on('error', reject)
    request.on('response', (response) => {
      response.resume().on('end', () => {
        if (response.statusCode === 200) resolve()
        else reject(new Error(`caddy answered ${response.statusCode}`))
      })
    })
    request.end(config)
  })
}
