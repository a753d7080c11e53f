import type { AddressInfo } from 'node:net'
import type tls from 'node:tls'

import type { VerifyTarget } from '../../workers/verify.js'
import type { Generation } from '../generation/generation.js'

/** Where a client would find each listening server, and what it should be shown there. */
export function verifyTargets(servers: readonly tls.Server[], { certificates }: Generation): VerifyTarget[] {
  const expected = certificates.map(({ fingerprint256 }) => fingerprint256)
  const name = certificates[0]?.names.find((one) => /^[a-z0-9.-]*[a-z][a-z0-9-]*$/.test(one))
  const servername = name === undefined ? {} : { servername: name }
  return servers.map((server) => ({ ...addressOf(server.address()), ...servername, expected }))
}

function addressOf(address: AddressInfo | string | null): Pick<VerifyTarget, 'host' | 'port' | 'path'> {
  if (typeof address === 'string') return { path: address }
  const { address: host, port } = address as AddressInfo
  // A socket that listens on every interface is dialled on the loopback one.
  return { host: host === '::' ? '::1' : host === '0.0.0.0' ? '127.0.0.1' : host, port }
}
