import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { freePort } from '../../support/servers/free-port.js'
import { scratchDirectory, startDaemon } from './daemon.js'
import type { Peer } from './peer.js'

export const nginx: Peer = {
  name: 'nginx',
  program: 'nginx',
  versionFlag: '-v',
  reloadBy: 'SIGHUP',
  takesAuthorities: true,
  async start(path, { cert, key, ca }) {
    const dir = scratchDirectory()
    const port = await freePort()
    const trust = ca ? `ssl_client_certificate ${ca}; ssl_verify_client optional_no_ca;` : ''
    const config = `
      daemon off; pid ${dir}/pid; error_log stderr error; worker_processes auto;
      events {}
      http {
        access_log off; keepalive_requests 1000000;
        client_body_temp_path ${dir}/a; proxy_temp_path ${dir}/b; fastcgi_temp_path ${dir}/c;
        uwsgi_temp_path ${dir}/d; scgi_temp_path ${dir}/e;
        server {
          listen 127.0.0.1:${port} ssl; server_name localhost;
          ssl_certificate ${cert}; ssl_certificate_key ${key}; ssl_protocols TLSv1.2 TLSv1.3;
          ssl_session_tickets on; ssl_session_cache shared:s:10m; ${trust}
          location / { return 200 "ok\\n"; }
        }
      }`
    const file = join(dir, 'nginx.conf')
    writeFileSync(file, config)
    const daemon = await startDaemon(path, ['-p', dir, '-c', file], { port, dir })
    return {
      port,
      async reload() {
        daemon.process.kill('SIGHUP')
        return undefined
      },
      stop: daemon.stop,
    }
  },
}
