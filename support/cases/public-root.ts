import { fork } from 'node:child_process'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { tempDir } from '../files/temp-dir.js'
import { type Authority, createAuthority } from '../material/certificates.js'

/** The part of a test context that cases of {@link runWithPublicRoot} use. */
export type CaseContext = Pick<TestContext, 'after'>

/** A case that runs in a process with an additional public root. */
export type Case = (t: CaseContext, publicRoot: Authority) => Promise<void>

const NAME = 'A public root'

/**
 * Runs the cases of a module (its export `cases`) in a process whose Node treats one more CA as a public root, from
 * `NODE_EXTRA_CA_CERTS`, which Node reads at its start. `SSL_CERT_FILE` names another file with this CA, which cases may change.
 *
 * @returns for each case `null`, or the reason of its failure.
 */
export async function runWithPublicRoot(
  t: TestContext,
  module: URL,
): Promise<Readonly<Record<string, string | null>>> {
  const dir = tempDir(t)
  const root = createAuthority({ name: NAME })
  const [extra, system] = [join(dir, 'root.pem'), join(dir, 'system.pem')]
  for (const file of [extra, system]) writeFileSync(file, root.certPem)
  const { SSL_CERT_DIR: _, ...inherited } = process.env
  const child = fork(new URL('./public-root-process.js', import.meta.url), [module.href], {
    execArgv: [],
    env: {
      ...inherited,
      NODE_EXTRA_CA_CERTS: extra,
      SSL_CERT_FILE: system,
      PUBLIC_ROOT_KEY: root.keyPem,
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the process ended with ${signal ?? code}`)
  })
  const [results] = await Promise.race([once(child, 'message'), ended])
  ended.catch(() => {})
  return results as Record<string, string | null>
}

/** The additional root in the process of the cases, with its key. */
export function publicRootHere(): Authority {
  const privateKey = createPrivateKey(process.env['PUBLIC_ROOT_KEY'] as string)
  return createAuthority({ name: NAME, key: { privateKey, publicKey: createPublicKey(privateKey) } })
}
