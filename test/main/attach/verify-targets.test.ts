import assert from 'node:assert/strict'
import { test } from 'node:test'
import tls from 'node:tls'

import type { Generation } from '../../../src/main/api/generation.js'
import { listenerOf, verifyTargets } from '../../../src/main/attach/verify-targets.js'
import { HostTable } from '../../../src/main/generation/host-table.js'
import { createAuthority } from '../../../support/material/certificates.js'

test('each listener is dialled at an address where a local client would reach it', () => {
  const servers = [
    { address: '127.0.0.1', port: 1 },
    { address: '0.0.0.0', port: 2 },
    { address: '::', port: 3 },
    { address: '192.0.2.1', port: 4 },
    '/run/tls.sock',
  ].map(listeningAt)
  assert.deepEqual(
    targetsOf(servers, [], false).map(({ address: { host, port, path } }) => path ?? `${host} ${port}`),
    ['127.0.0.1 1', '127.0.0.1 2', '::1 3', '192.0.2.1 4', '/run/tls.sock'],
  )
})

test('a client without SNI connects to each listener, which may show any of the certificates', () => {
  const targets = targetsOf([listeningAt('/x')], ['*.a.test', 'b.test'], false)
  assert.deepEqual(
    targets.map(({ kind, address, expected }) => ({ kind, address, expected })),
    [{ kind: 'default', address: { path: '/x', alpn: [] }, expected: ['AB', 'CD'] }],
  )
})

test('if hosts have certificates, the first name that a client could request is requested too', () => {
  assert.deepEqual(namesAsked(listeningAt('/x'), ['*.a.test', '192.0.2.1', 'b.test', 'c.test'], true), [
    'b.test',
  ])
  for (const names of [[], ['*.a.test'], ['192.0.2.1', '2001:db8:0:0:0:0:0:1']]) {
    assert.deepEqual(namesAsked(listeningAt('/x'), names, true), [], String(names))
  }
})

test('if the application has a callback or contexts of its own, the names that these may answer are requested', () => {
  const { chainPem: cert, keyPem: key } = authority.issue()
  const identity = { cert, key }
  const names = ['a.test', 'b.test', '*.c.test']
  const plain = createServer()
  assert.deepEqual(namesAsked(plain, names, false), [])
  plain.addContext('b.test', identity)
  plain.addContext('x.c.test', identity)
  plain.addContext('elsewhere.test', identity)
  assert.deepEqual(namesAsked(plain, names, false), ['b.test', 'x.c.test'])
  const wild = createServer()
  wild.addContext('*.test', identity)
  assert.deepEqual(namesAsked(wild, names, false), ['a.test', 'b.test'])
  const called = createServer({ SNICallback: (_, done) => done(null) })
  assert.deepEqual(namesAsked(called, names, false), ['a.test', 'b.test'])
})

test('a listener is offered the protocols that its server negotiates', () => {
  const [target] = targetsOf([createServer({ ALPNProtocols: ['h2', 'mqtt'] })], [], false)
  assert.deepEqual(target?.address.alpn, ['h2', 'mqtt'])
})

const authority = createAuthority()

function createServer(options: tls.TlsOptions = {}): tls.Server {
  return Object.assign(tls.createServer(options), { address: () => '/x' })
}

function namesAsked(server: tls.Server, names: readonly string[], showsHosts: boolean): string[] {
  const targets = targetsOf([server], names, showsHosts)
  return targets.flatMap(({ address }) => address.servername ?? [])
}

function listeningAt(address: object | string): tls.Server {
  return { address: () => address } as tls.Server
}

function targetsOf(servers: readonly tls.Server[], names: readonly string[], showsHosts = true) {
  const listeners = servers.map((server) => listenerOf(server, showsHosts))
  return verifyTargets(listeners, { generation: generation(names), hosts: HostTable.empty }, [])
}

function generation(names: readonly string[]): Generation {
  const certificates = [
    { fingerprint256: 'AB', names },
    { fingerprint256: 'CD', names: [] },
  ]
  return { certificates } as unknown as Generation
}
