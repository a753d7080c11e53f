import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { LibraryServer, ServerMaterial } from '../clients/client-library.js'
import { subdirectory, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { freePort } from './free-port.js'
import { startRedis } from './redis.js'

/** Redis that serves TLS to clients with a certificate. The port without TLS is for `redis-cli`. */
export async function startRedisWithTls(
  t: TestContext,
  { leaf, clientCa }: ServerMaterial,
): Promise<LibraryServer> {
  const port = await freePort()
  const dir = tempDir(t)
  const ca = join(dir, 'client-ca.crt')
  writeFileSync(ca, clientCa)
  const { cert, key } = writePair(dir, leaf)
  const tls = [
    '--tls-port',
    `${port}`,
    '--tls-cert-file',
    cert,
    '--tls-key-file',
    key,
    '--tls-ca-cert-file',
    ca,
  ]
  const redis = await startRedis(t, { args: [...tls, '--tls-auth-clients', 'yes'] })
  let renewals = 0
  return {
    port,
    async renew(next) {
      // Redis loads the files when their names are set, and refuses a pair that does not match.
      const pair = writePair(subdirectory(dir, `renewal-${++renewals}`), next)
      redis.cli('CONFIG', 'SET', 'tls-cert-file', pair.cert, 'tls-key-file', pair.key)
    },
  }
}
