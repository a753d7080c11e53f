import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { freePort } from '../../support/servers/free-port.js'
import { scratchDirectory, startDaemon } from './daemon.js'
import type { Peer } from './peer.js'

export const haproxy: Peer = {
  name: 'HAProxy',
  program: 'haproxy',
  versionFlag: '-v',
  reloadBy: 'commit ssl cert',
  takesAuthorities: true,
  async start(path, { cert, key, ca }) {
    const dir = scratchDirectory()
    const port = await freePort()
    const pem = join(dir, 'site.pem')
    const control = join(dir, 'control')
    const both = () => readFileSync(cert, 'utf8') + readFileSync(key, 'utf8')
    writeFileSync(pem, both())
    const trust = ca ? `ca-file ${ca} verify optional ca-ignore-err all crt-ignore-err all` : ''
    const config = `
global
  stats socket ${control} mode 600 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend site
  bind 127.0.0.1:${port} ssl crt ${pem} ${trust}
  http-request return status 200 content-type text/plain string "ok"
`
    const file = join(dir, 'haproxy.cfg')
    writeFileSync(file, config)
    const daemon = await startDaemon(path, ['-db', '-q', '-f', file], { port, dir })
    return {
      port,
      async reload() {
        // Without empty lines, because an empty line ends the payload.
        await command(control, `set ssl cert ${pem} <<\n${both().replaceAll(/\n+/g, '\n')}\n`)
        const answer = await command(control, `commit ssl cert ${pem}\n`)
        if (!answer.includes('Success')) throw new Error(`HAProxy refused the certificate: ${answer}`)
        return undefined
      },
      stop: daemon.stop,
    }
  },
}

async function command(path: string, line: string): Promise<string> {
  const socket = connect(path)
  socket.write(line)
  return await text(socket)
}
