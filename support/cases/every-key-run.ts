// Passes every curve and kind of key of this OpenSSL through all code that reads certificates, in a separate process, so that
// crashes of native code are detected. It writes the name of each case before reading it, then the codes of its problems.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  getCurves,
  type KeyObject,
} from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Problem } from '../../src/workers/base/problem.js'
import { judgePeers } from '../../src/workers/judge/judge-peers.js'
import type { PrepareReply } from '../../src/workers/protocol/prepare.js'
import { createAuthority } from '../material/certificates.js'
import { integer, octets, oid, pem, sequence } from '../material/der.js'
import { basicConstraints, keyUsage, subjectAltName, subjectKeyId } from '../material/extensions.js'
import { signerOf } from '../material/keys.js'
import { derOf } from '../material/pem-text.js'
import { pkcs12 } from '../material/pkcs12.js'
import { distinguishedName, keyIdOf, signCertificate } from '../material/x509.js'
import { hostTask, preparedHosts, prepareHere, taskFor } from '../worker/tasks-here.js'
import { unusualExtensions } from './unusual-extensions.js'

const dir = mkdtempSync(join(tmpdir(), 'every-key-'))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
mkdirSync(join(dir, 'hosts', 'one'), { recursive: true })
const root = createAuthority({ name: 'Ordinary Root' })
const ordinary = root.issue()
const hour = 3_600_000

interface Key {
  readonly publicKey: KeyObject
  /** `null` if none can be generated. */
  readonly privateKey: KeyObject | null
  readonly pkcs8: Buffer
}

for (const [name, make] of allKeys()) {
  let key: Key
  try {
    key = make()
  } catch {
    continue
  }
  await pass(name, key, [])
}
const plain = ofPair(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
for (const [i, one] of unusualExtensions.entries()) await pass(`extension ${i}`, plain, [one])

function* allKeys(): Generator<[string, () => Key]> {
  for (const namedCurve of getCurves()) {
    yield [`curve ${namedCurve}`, () => ofPair(generateKeyPairSync('ec', { namedCurve }))]
  }
  yield ['explicit P-256', () => ofPair(explicit('P-256'))]
  yield ['explicit secp256k1', () => ofPair(explicit('secp256k1'))]
  yield ['SM2 with d = n-1', endlessSm2]
  yield ['DSA', () => ofPair(generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }))]
  yield ['DH', () => ofPair(generateKeyPairSync('dh' as 'ed25519', { group: 'modp14' } as object))]
  yield [
    'RSA with e = 3',
    () => ofPair(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })),
  ]
  yield ['RSA-PSS', () => ofPair(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }))]
  const others = ['ed25519', 'ed448', 'x25519', 'x448']
  const newer = [
    'ml-dsa-44',
    'ml-dsa-65',
    'ml-dsa-87',
    'ml-kem-512',
    'slh-dsa-sha2-128f',
    'slh-dsa-shake-256s',
  ]
  for (const type of [...others, ...newer]) {
    yield [type, () => ofPair(generateKeyPairSync(type as 'ed25519'))]
  }
}

async function pass(name: string, key: Key, extensions: readonly Buffer[]): Promise<void> {
  const asLeaf = certificate('leaf', key.publicKey, [
    ...subjectAltName({ names: ['localhost'] }, false),
    ...extensions,
  ])
  const asAuthority = certificate('odd', key.publicKey, [
    basicConstraints(true),
    keyUsage('keyCertSign', 'crlSign'),
    subjectKeyId(keyIdOf(key.publicKey)),
    ...extensions,
  ])
  const keyPem = pem('PRIVATE KEY', key.pkcs8)
  const ways: Record<string, () => Promise<string[]>> = {
    certificate: () => prepared({ cert: write('leaf.crt', asLeaf), key: write('leaf.key', keyPem) }),
    // Issued by a CA with this key if it can sign, else with the CA in the same file.
    chain: () =>
      prepared({
        cert: write('c.crt', (issuedBy(key) ?? ordinary.certPem + root.certPem) + asAuthority),
        key: write('c.key', ordinary.keyPem),
      }),
    anchor: () =>
      prepared({
        ...{ cert: write('a.crt', ordinary.certPem), key: write('a.key', ordinary.keyPem) },
        ...{ ca: write('ca.crt', root.certPem + asAuthority), requestCert: true },
      }),
    async host() {
      write(join('hosts', 'one', 'tls.crt'), asLeaf)
      write(join('hosts', 'one', 'tls.key'), keyPem)
      const { replies } = await preparedHosts(hostTask(join(dir, 'hosts', '*')))
      return replies.flatMap(({ problems }) => problems.map(({ code }) => code))
    },
    async peer() {
      const chains = [asLeaf, asAuthority].map((text) => ({
        certificates: [derOf(text)],
        completed: false,
      }))
      const authorities = Buffer.from(root.certPem)
      judgePeers({ authorities, formerAuthorities: null, revocationLists: [], partialChain: false, chains })
      return []
    },
    async pkcs12() {
      const privateKey = { export: () => Buffer.from(key.pkcs8) } as unknown as KeyObject
      const certDer = derOf(asLeaf)
      const file = pkcs12({ leaf: { privateKey, publicKey: key.publicKey, certDer }, algorithm: 'none' })
      return await prepared({ pfx: write('tls.p12', file) })
    },
  }
  for (const [way, read] of Object.entries(ways)) {
    writeSync(1, `${name}\t${way}\t`)
    const started = process.cpuUsage()
    const codes = await read()
    const { user, system } = process.cpuUsage(started)
    writeSync(1, `${codes.join(' ')}\t${Math.round((user + system) / 1000)}\n`)
  }
}

/** A key with explicit curve parameters, which the types lack. */
function explicit(namedCurve: string) {
  const options = { namedCurve, paramEncoding: 'explicit' } as { namedCurve: string }
  return generateKeyPairSync('ec', options)
}

function ofPair({ publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject }): Key {
  return { publicKey, privateKey, pkcs8: privateKey.export({ type: 'pkcs8', format: 'der' }) }
}

/** OpenSSL's SM2 signature divides by 1 + d, which is 0 here, and retries forever (GM/T 0003.2). */
function endlessSm2(): Key {
  const last = Buffer.from('fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54122', 'hex')
  const secret = sequence(integer(1), octets(last))
  const algorithm = sequence(oid('1.2.840.10045.2.1'), oid('1.2.156.10197.1.301'))
  const pkcs8 = sequence(integer(0), algorithm, octets(secret))
  const publicKey = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }))
  return { publicKey, privateKey: null, pkcs8 }
}

/** A certificate for the ordinary leaf's key, signed by this key; `null` if it cannot sign. */
function issuedBy({ privateKey }: Key): string | null {
  try {
    const names = subjectAltName({ names: ['localhost'] }, false)
    return certificate('ordinary', ordinary.publicKey, names, {
      name: 'odd',
      privateKey: privateKey as KeyObject,
    })
  } catch {
    return null
  }
}

function certificate(
  subject: string,
  publicKey: KeyObject,
  extensions: readonly Buffer[],
  issuer: { readonly name: string; readonly privateKey: KeyObject } = root,
): string {
  const fields = {
    ...{
      issuer: distinguishedName(issuer.name),
      subject: distinguishedName(subject),
      serial: '4A',
      publicKey,
      extensions,
    },
    ...{ notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) },
  }
  return pem('CERTIFICATE', signCertificate(fields, signerOf(issuer.privateKey)))
}

async function prepared(options: Parameters<typeof taskFor>[0]): Promise<string[]> {
  const reply = await prepareHere(taskFor(options))
  return reply.kind === 'refused' ? codesIn(reply.problems) : anchorsLeftOut(reply)
}

/** The warnings about omitted anchors. */
function anchorsLeftOut(reply: PrepareReply): string[] {
  const warnings = reply.kind === 'prepared' ? reply.warnings : []
  return codesIn(warnings).filter((code) => code === 'KEY_UNSUPPORTED')
}

function codesIn(problems: readonly Problem[]): string[] {
  return problems.map(({ code }) => code)
}

function write(name: string, content: string | Buffer): string {
  const path = join(dir, name)
  rmSync(path, { force: true })
  writeFileSync(path, content, { mode: 0o600 })
  return path
}
