/*
 * The input of the program, by flags and by a file, and its output when it cannot start: exit code 2 for wrong usage, 1 for
 * material that cannot be served, with the file and the code.
 */

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { assertRefused } from '../../../support/clients/refusal.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap, certswapServe, certswapServeAt } from '../../../support/processes/program.js'

const authority = createAuthority()

test('once it serves it logs one line with its URL and its process id; port 0 is a free port', async (t) => {
  const cwd = tempDir(t)
  const paths = writePair(cwd, authority.issue())
  const programs = await Promise.all(
    [1, 2].map(() => certswapServe(t, ['--cert', paths.cert, '--key', paths.key], { cwd })),
  )
  for (const { child, lines, url, port } of programs) {
    const listening = lines.filter(({ msg }) => msg === 'listening').map(({ pid }) => pid)
    assert.deepEqual(listening, [child.pid])
    assert.equal(url, `https://127.0.0.1:${port}/`)
    await handshake({ port, confirm: true })
  }
  assert.notEqual(programs[0]?.port, programs[1]?.port)
})

for (const [what, args] of Object.entries({
  'an unknown flag': ['serve', '--certificate', 'x'],
  'an unknown command': ['serf'],
  'a flag without its value': ['serve', '--cert'],
  'an interval that is not a number': ['serve', '--auto-reload-interval', 'often'],
  'a negative interval': ['serve', '--auto-reload-interval=-1'],
  'an invalid port': ['serve', '--listen', '127.0.0.1:99999'],
  'an invalid log level': ['serve', '--log-level', 'loud'],
  'an invalid TLS version': ['serve', '--min-version', 'TLSv1'],
  'a certificate without a key': ['serve', '--cert', 'tls.crt'],
  '--pfx beside --cert': ['serve', '--pfx', 'id.p12', '--cert', 'tls.crt', '--key', 'tls.key'],
  '--request-cert without a CA': ['serve', '--cert', 'tls.crt', '--key', 'tls.key', '--request-cert'],
  'a missing configuration file': ['serve', '--config', 'certswap.json'],
})) {
  test(`${what} is refused with exit code 2 and a sentence on standard error`, async (t) => {
    const { code, stdout, stderr } = await certswap(args, { cwd: tempDir(t) })
    assert.equal(code, 2)
    assert.notEqual(stderr, '')
    assert.equal(stdout, '')
  })
}

test('a certificate that cannot be read fails the start with exit code 1, the file and the code', async (t) => {
  const cwd = tempDir(t)
  const { key } = writePair(cwd, authority.issue())
  const directory = join(cwd, 'directory.crt')
  mkdirSync(directory)
  for (const [cert, expected] of [
    [join(cwd, 'missing.crt'), 'FILE_NOT_FOUND'],
    [directory, 'FILE_NOT_REGULAR'],
    [key, 'CERT_MISSING'],
  ] as const) {
    const args = ['serve', '--listen', '127.0.0.1:0', '--cert', cert, '--key', key]
    const { code, stderr } = await certswap(args, { cwd })
    assert.equal(code, 1)
    assert.ok(stderr.includes(expected) && stderr.includes(cert), stderr)
  }
})

test('a pair that does not match fails the start with exit code 1', async (t) => {
  const cwd = tempDir(t)
  const { cert } = writePair(cwd, authority.issue())
  const { key } = writePair(cwd, authority.issue(), { cert: 'other.crt', key: 'other.key' })
  const args = ['serve', '--listen', '127.0.0.1:0', '--cert', cert, '--key', key]
  const { code, stderr } = await certswap(args, { cwd })
  assert.equal(code, 1)
  assert.match(stderr, /CERT_KEY_MISMATCH/)
})

test('an address in use fails the start with exit code 1 and the address', async (t) => {
  const cwd = tempDir(t)
  const { port } = await certswapServe(t, [], { cwd })
  const { code, stderr } = await certswap(['serve', '--listen', `127.0.0.1:${port}`], { cwd })
  assert.equal(code, 1)
  assert.ok(stderr.includes(`127.0.0.1:${port}`) && stderr.includes('EADDRINUSE'), stderr)
})

test('paths in a configuration file are relative to the file, wherever the program is started', async (t) => {
  const [home, cwd] = [tempDir(t), tempDir(t)]
  mkdirSync(join(home, 'tls'))
  const leaf = authority.issue()
  writePair(join(home, 'tls'), leaf)
  const config = join(home, 'certswap.json')
  const options = {
    listen: '127.0.0.1:0',
    cert: 'tls/tls.crt',
    key: 'tls/tls.key',
    tls: { minVersion: 'TLSv1.3' },
  }
  writeFileSync(config, JSON.stringify(options))
  const { port } = await certswapServeAt(t, ['--config', config], { cwd })
  const { fingerprint256, protocol } = await handshake({ port })
  assert.deepEqual({ fingerprint256, protocol }, { fingerprint256: leaf.fingerprint256, protocol: 'TLSv1.3' })
  await assertRefused({ port, maxVersion: 'TLSv1.2' })
})

test('flags override the configuration file, and change only the options that they name', async (t) => {
  const cwd = tempDir(t)
  const [inFile, byFlag] = [authority.issue(), authority.issue()]
  writePair(cwd, inFile)
  const paths = writePair(cwd, byFlag, { cert: 'flag.crt', key: 'flag.key' })
  const options = {
    listen: '127.0.0.1:1',
    logLevel: 'silent',
    autoReloadInterval: 0,
    cert: 'tls.crt',
    key: 'tls.key',
    tls: { minVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:TLS_CHACHA20_POLY1305_SHA256' },
  }
  writeFileSync(join(cwd, 'certswap.json'), JSON.stringify(options))
  const flags = ['--cert', paths.cert, '--key', paths.key, '--min-version', 'TLSv1.3', '--log-level', 'info']
  const args = ['--config', 'certswap.json', '--listen', '127.0.0.1:0', ...flags]
  const { port } = await certswapServeAt(t, args, { cwd })
  assert.notEqual(port, 1)
  const { fingerprint256, socket, close } = await handshake({ port, keepOpen: true })
  assert.equal(fingerprint256, byFlag.fingerprint256)
  assert.equal(socket.getCipher().name, 'TLS_CHACHA20_POLY1305_SHA256')
  await close()
  await assertRefused({ port, maxVersion: 'TLSv1.2' })
})

test('an unknown option in the configuration file is refused with exit code 2', async (t) => {
  const cwd = tempDir(t)
  writePair(cwd, authority.issue())
  writeFileSync(join(cwd, 'certswap.json'), '{ "cert": "tls.crt", "key": "tls.key", "autoReload": 5 }')
  const { code, stderr } = await certswap(['serve', '--config', 'certswap.json'], { cwd })
  assert.equal(code, 2)
  assert.match(stderr, /autoReload/)
})

test('a configuration file that is not JSON is refused with exit code 2', async (t) => {
  const cwd = tempDir(t)
  writeFileSync(join(cwd, 'certswap.json'), 'cert: tls.crt')
  const { code, stderr } = await certswap(['serve', '--config', 'certswap.json'], { cwd })
  assert.equal(code, 2)
  assert.match(stderr, /certswap\.json/)
})

test('`--help` and `--version` print to standard output and exit with code 0', async (t) => {
  const cwd = tempDir(t)
  const help = await certswap(['serve', '--help'], { cwd })
  assert.equal(help.code, 0)
  assert.match(help.stdout, /--auto-reload-interval/)
  const version = await certswap(['--version'], { cwd })
  assert.equal(version.code, 0)
  assert.match(version.stdout, /^\d+\.\d+\.\d+/)
})
