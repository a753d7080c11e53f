import assert from 'node:assert/strict'
import { test } from 'node:test'
import type tls from 'node:tls'

import { listenerOf, verifyTargets } from '../../../src/main/attach/verify-targets.js'
import type { Generation } from '../../../src/main/generation/generation.js'
import { HostTable } from '../../../src/main/generation/host-table.js'

test('each listener is dialled where a client of this machine would find it', () => {
  const servers = [
    { address: '127.0.0.1', port: 1 },
    { address: '0.0.0.0', port: 2 },
    { address: '::', port: 3 },
    { address: '192.0.2.1', port: 4 },
    '/run/tls.sock',
  ].map(listeningAt)
  assert.deepEqual(
    targetsOf(servers, ['localhost']).map(({ host, port, path }) => path ?? `${host} ${port}`),
    ['127.0.0.1 1', '127.0.0.1 2', '::1 3', '192.0.2.1 4', '/run/tls.sock'],
  )
})

test('the first name that a client could ask for is asked for, and any of the certificates may be shown', () => {
  const [target] = targetsOf([listeningAt('/x')], ['*.a.test', '192.0.2.1', 'b.test', 'c.test'])
  assert.deepEqual(target, { path: '/x', servername: 'b.test', expected: ['AB', 'CD'] })
  for (const names of [[], ['*.a.test'], ['192.0.2.1', '2001:db8:0:0:0:0:0:1']]) {
    const [nameless] = targetsOf([listeningAt('/x')], names)
    assert.ok(nameless && !('servername' in nameless), String(names))
  }
})

function listeningAt(address: object | string): tls.Server {
  return { address: () => address } as tls.Server
}

function targetsOf(servers: readonly tls.Server[], names: readonly string[]) {
  const listeners = servers.map((server) => listenerOf(server, true))
  return verifyTargets(listeners, { generation: generation(names), hosts: HostTable.empty }, [])
}

function generation(names: readonly string[]): Generation {
  const certificates = [
    { fingerprint256: 'AB', names },
    { fingerprint256: 'CD', names: [] },
  ]
  return { certificates } as unknown as Generation
}
