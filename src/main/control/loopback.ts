import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

import { ReloadError } from '../base/errors.js'
import type { Guard } from './app.js'
import { BACKLOG } from './backlog.js'
import { RequestProblem } from './problem-document.js'

/** Makes a server listen on a loopback address; resolves with the port. @throws ReloadError `CONTROL_UNAVAILABLE` */
export async function listenOnLoopback(server: Server, host: string, port: number): Promise<number> {
  try {
    server.listen({ host, port, backlog: BACKLOG })
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ReloadError('CONTROL_UNAVAILABLE', `cannot listen on ${host}:${port}: ${code}`, {
      cause: error,
    })
  }
  return (server.address() as AddressInfo).port
}

/** Refuses other Host headers: a foreign name may resolve to the loopback address (DNS rebinding). */
export function requireHost(port: () => number): Guard {
  return (headers) => {
    const host = headers.get('host')?.toLowerCase() ?? ''
    const allowed = ['127.0.0.1', '[::1]', 'localhost'].map((name) => `${name}:${port()}`)
    if (allowed.includes(host)) return
    throw new RequestProblem('host-refused', `expected Host to be one of ${allowed.join(', ')}`)
  }
}
