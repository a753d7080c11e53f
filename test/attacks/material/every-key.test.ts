import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { before, test } from 'node:test'
import tls from 'node:tls'
import { fileURLToPath } from 'node:url'

import { PROBLEM_CODES, ReloadError } from '../../../src/main/index.js'
import { servedBy, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { certswap } from '../../../support/processes/program.js'

/** OpenSSL's names of the curves that have NIST names. */
const NIST = [
  ...[
    'prime192v1',
    'secp224r1',
    'prime256v1',
    'secp384r1',
    'secp521r1',
    'sect163k1',
    'sect163r2',
    'sect233k1',
  ],
  ...['sect233r1', 'sect283k1', 'sect283r1', 'sect409k1', 'sect409r1', 'sect571k1', 'sect571r1'],
]

interface Line {
  readonly name: string
  readonly way: string
  readonly codes: readonly string[]
  readonly ms: number
}

let lines: Line[] = []

before(async () => {
  const script = fileURLToPath(new URL('../../../support/cases/every-key-run.js', import.meta.url))
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'close')])
  assert.deepEqual([code, signal], [0, null], `it ended at: ${output.slice(output.lastIndexOf('\n') + 1)}`)
  lines = output
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', way = '', codes = '', ms = ''] = line.split('\t')
      return { name, way, codes: codes.split(' ').filter(Boolean), ms: Number(ms) }
    })
})

test('no curve, key type or unusual extension in a certificate, CA, host, peer or PKCS#12 file ends the process', () => {
  assert.ok(lines.length > 500, `${lines.length} lines`)
  for (const { name, way, codes, ms } of lines) {
    for (const code of codes)
      assert.ok((PROBLEM_CODES as readonly string[]).includes(code), `${name} ${way}: ${code}`)
    assert.ok(!codes.includes('WORKER_CRASHED'), `${name} ${way}`)
    assert.ok(ms < 1000, `${name} ${way} took ${ms} ms of CPU time`)
  }
})

test('a key on a curve without a NIST name is refused as KEY_UNSUPPORTED, or skipped as a trust anchor, on every Node version', () => {
  const odd = lines.filter(
    ({ name, way }) =>
      way !== 'peer' && (/^(explicit|SM2)/.test(name) || (name.startsWith('curve ') && !isNist(name))),
  )
  assert.ok(odd.length > 200, `${odd.length} lines`)
  for (const { name, way, codes } of odd) assert.deepEqual(codes, ['KEY_UNSUPPORTED'], `${name} as ${way}`)
})

test('a key on a curve with a NIST name is never refused because of its curve', () => {
  const named = lines.filter(({ name }) => isNist(name))
  assert.ok(named.length >= 6 * 15, `${named.length} lines`)
  for (const { name, way, codes } of named) assert.ok(!codes.includes('KEY_UNSUPPORTED'), `${name} as ${way}`)
})

test('a private key that cannot sign in TLS is refused before it is used to sign', () => {
  const kinds = [
    'DSA',
    'DH',
    'x25519',
    'x448',
    'ml-kem-512',
    'slh-dsa-sha2-128f',
    'slh-dsa-shake-256s',
    'SM2 with d = n-1',
  ]
  const found = lines.filter(
    ({ name, way }) => kinds.includes(name) && /^(certificate|host|pkcs12)$/.test(way),
  )
  assert.ok(found.length >= 15, `${found.length} lines`)
  for (const { name, way, codes } of found) assert.deepEqual(codes, ['KEY_UNSUPPORTED'], `${name} as ${way}`)
})

const root = createAuthority()
const oddAuthority = createAuthority({ key: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }) })

test('a CA on secp256k1 in the chain fails the start with a code, and leaves a running engine with its certificate', async (t) => {
  const dir = tempDir(t)
  const leaf = root.issue()
  const files = writePair(dir, leaf)
  const engine = await startEngine(t, files)
  const port = await serveEcho(t, engine)
  const renewed = oddAuthority.issue()
  writePair(dir, { ...renewed, chainPem: renewed.certPem + oddAuthority.certPem })
  const result = await engine.reload()
  assert.equal(result.outcome, 'rejected')
  assert.deepEqual(
    result.problems.map(({ code, path }) => [code, path]),
    [['KEY_UNSUPPORTED', files.cert]],
  )
  assert.equal(await servedBy(port), leaf.fingerprint256)
  await assert.rejects(startEngine(t, files), (error) => {
    assert.ok(error instanceof ReloadError)
    assert.equal(error.code, 'KEY_UNSUPPORTED')
    return true
  })
})

test('a CA on secp256k1 among the trust anchors is skipped, and is refused if no other anchor remains', async (t) => {
  const dir = tempDir(t)
  const files = writePair(dir, root.issue())
  const ca = join(dir, 'ca.crt')
  writeFileSync(ca, root.certPem + oddAuthority.certPem)
  const engine = await startEngine(t, { ...files, ca, requestCert: true })
  const [warning] = engine.status().generation.warnings
  assert.deepEqual([warning?.code, warning?.path], ['KEY_UNSUPPORTED', ca])
  const loaded = Buffer.from(String(engine.serverOptions().ca)).toString()
  assert.ok(!loaded.includes(oddAuthority.certPem.slice(100, 200)))
  writeFileSync(ca, oddAuthority.certPem)
  await assert.rejects(startEngine(t, { ...files, ca, requestCert: true }), (error) => {
    assert.ok(error instanceof ReloadError)
    assert.deepEqual([error.code, error.path], ['KEY_UNSUPPORTED', ca])
    return true
  })
})

test('`certswap check` exits with code 1 and prints the code of the problem for such files, and does not crash', async (t) => {
  const cwd = tempDir(t)
  const files = writePair(cwd, root.issue())
  const renewed = oddAuthority.issue()
  const chain = { ...renewed, chainPem: renewed.certPem + oddAuthority.certPem }
  const inChain = writePair(cwd, chain, { cert: 'odd.crt', key: 'odd.key' })
  const ca = join(cwd, 'ca.crt')
  writeFileSync(ca, oddAuthority.certPem)
  for (const args of [
    ['--cert', inChain.cert, '--key', inChain.key],
    ['--cert', files.cert, '--key', files.key, '--ca', ca, '--request-cert'],
  ]) {
    const { code, stdout, stderr } = await certswap(['check', ...args], { cwd })
    assert.equal(code, 1, stderr)
    assert.match(stdout + stderr, /KEY_UNSUPPORTED/)
  }
})

test('Node reads the peer certificates of a client with the method that the rehearsal replaces', async () => {
  const { chainPem, keyPem } = root.issue()
  const [near, far] = duplexPair()
  const secureContext = tls.createSecureContext({ cert: chainPem, key: keyPem })
  const server = new tls.TLSSocket(near, { isServer: true, secureContext })
  const client = tls.connect({ socket: far, ca: root.certPem, checkServerIdentity: () => undefined })
  let asked = 0
  client.getPeerCertificate = () => {
    asked++
    return {} as tls.DetailedPeerCertificate
  }
  await once(client, 'secureConnect')
  client.destroy()
  server.destroy()
  assert.equal(asked, 1)
})

function isNist(name: string): boolean {
  return NIST.some((curve) => name === `curve ${curve}`)
}
