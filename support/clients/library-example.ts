import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { renameInto, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { createAuthority } from '../material/certificates.js'
import { startExample } from '../processes/example-process.js'
import { watchConnections } from '../servers/connection-watch.js'
import type { ClientLibrary } from './client-library.js'
import { clientAuthority, issueClient, issueServer } from './library-site.js'

export interface LibraryExample extends Pick<ClientLibrary, 'name' | 'without' | 'startServer'> {
  /** The arguments and environment with which it connects to `localhost`. */
  start(port: number): { readonly args?: readonly string[]; readonly env?: NodeJS.ProcessEnv }
  /** A line of its output after each query. */
  readonly answer: RegExp
}

/** Runs `examples/clients/<name>.js` as a user would, with a real server that requires a client certificate. */
export function proveExample({ name, without, startServer, start, answer }: LibraryExample): void {
  const title = 'loads a renewed certificate, leaves the server of a removed CA, and ends at SIGTERM'
  test(`examples/clients/${name}.js ${title}`, { skip: without, timeout: 60_000 }, async (t) => {
    const [former, next] = [
      createAuthority({ name: 'Server CA' }),
      createAuthority({ name: 'Next server CA' }),
    ]
    const server = await startServer(t, { leaf: issueServer(former), clientCa: clientAuthority.certPem })
    const watch = await watchConnections(t, server.port)
    const dir = tempDir(t)
    const trust = (...authorities: readonly { certPem: string }[]) =>
      renameInto(join(dir, 'ca.crt'), authorities.map(({ certPem }) => certPem).join(''))
    writePair(dir, issueClient())
    trust(former)
    const example = startExample(t, `clients/${name}.js`, { dir, ...start(watch.port) })
    const answered = () => example.next((line) => answer.test(line))
    await answered()

    const renewed = issueClient()
    writePair(dir, renewed)
    assert.equal(await example.reloaded(), renewed.fingerprint256)
    await answered()

    trust(former, next)
    await example.reloaded()
    await server.renew(issueServer(next))
    const open = watch.open()
    assert.ok(open.length > 0)
    trust(next)
    await example.reloaded()
    await Promise.all(open.map(({ closed }) => closed))
    await answered()
    assert.ok(watch.open().length > 0)

    assert.equal(await example.stop('SIGTERM'), 0)
  })
}
