import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { tempDir } from '../files/temp-dir.js'
import { type Authority, createAuthority, type Leaf } from '../material/certificates.js'
import { type Answer, bundle, type MaterialService, materialService } from '../servers/material-service.js'

/** An HTTPS service with one identity, and what a program needs to use it. */
export interface IdentityService extends MaterialService {
  /** An empty directory, except for the CA file. */
  readonly dir: string
  readonly url: string
  /** The flags of the program. */
  readonly flags: readonly string[]
  /** The identity that it delivers. */
  readonly leaf: Leaf
  /** Delivers a new identity from now on. */
  renew(): Leaf
}

export async function identityService(
  t: TestContext,
  identities: Authority = createAuthority(),
): Promise<IdentityService> {
  const dir = tempDir(t)
  let leaf = identities.issue()
  const identity = (): Answer => bundle(leaf, `"${leaf.fingerprint256.slice(0, 11)}"`)
  const service = await materialService(t, identity())
  writeFileSync(join(dir, 'service-ca.crt'), service.authority.certPem)
  const url = `${service.origin}/identity`
  return Object.defineProperties(service, {
    dir: { value: dir },
    url: { value: url },
    flags: { value: ['--source', url, '--source-ca', join(dir, 'service-ca.crt')] },
    leaf: { get: () => leaf },
    renew: {
      value: () => {
        leaf = identities.issue()
        service.answer = identity()
        return leaf
      },
    },
  }) as IdentityService
}
