import assert from 'node:assert/strict'
import { constants, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import { createReloadEngine, type ProblemCode } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { handshake } from '../../../support/clients/tls-client.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority, selfSigned } from '../../../support/material/certificates.js'
import {
  constructed,
  integer,
  nothing,
  octets,
  oid,
  pem,
  primitive,
  sequence,
  tagged,
} from '../../../support/material/der.js'
import {
  authorityKeyId,
  basicConstraints,
  extendedKeyUsage,
  extension,
  keyUsage,
} from '../../../support/material/extensions.js'
import { keyPair, type Signer, signerOf } from '../../../support/material/keys.js'
import { largeKey } from '../../../support/material/large-key.js'
import {
  type OddOptions,
  oddCertificate,
  withDamagedSignature,
} from '../../../support/material/odd-certificate.js'
import type { RevocationListOptions } from '../../../support/material/revocation-list.js'
import { distinguishedName, keyIdOf } from '../../../support/material/x509.js'
import { createEcho, listen } from '../../../support/servers/echo-server.js'
import { prepareHere, taskFor } from '../../../support/worker/tasks-here.js'

const server = selfSigned()
const root = createAuthority({ name: 'Material Root' })
const inter = root.issueAuthority({ name: 'Material Intermediate' })
const other = createAuthority({ name: 'Material Other' })
const leaf = root.issue({ names: ['client'] })
const deepLeaf = inter.issue({ names: ['deep client'] })

interface Client {
  readonly chainPem: string
  readonly keyPem: string
}

interface Case {
  readonly title: string
  readonly ca: readonly string[]
  readonly crl?: readonly string[]
  /** Each kind of client that the anchors could be trusted for. */
  readonly clients: readonly Client[]
  readonly partial?: boolean
  /** The codes of the problems, or of the warnings if there are none. */
  readonly refused?: ProblemCode
  readonly warned?: ProblemCode
  /** Why it is refused although a client would be accepted, at least on some version of OpenSSL. */
  readonly stricter?: string
  /** Why it is only a warning although every client would be refused. */
  readonly looser?: string
}

const YES = Buffer.from([0xff])
const point = (...fields: Buffer[]) => extension('2.5.29.28', sequence(...fields), true)
const listed = (options: RevocationListOptions, authority = root) => authority.crl(options)
const hourAgo = new Date(Date.now() - 3_600_000)

/** Revocation lists of the root, tested with clients that the root issued itself and with clients of its intermediate. */
const ofRoot = (
  title: string,
  options: RevocationListOptions,
  verdict: Pick<Case, 'refused' | 'warned' | 'stricter'> = {},
): Case => ({ title, ca: [root.certPem], crl: [listed(options)], clients: [leaf], ...verdict })

const UNUSABLE = { refused: 'CRL_UNUSABLE' } as const
const INVALID = { refused: 'CRL_INVALID' } as const
const VERSIONS = 'versions of OpenSSL differ'
const IGNORED = 'OpenSSL ignores the extension and its restrictions'

const LISTS: readonly Case[] = [
  ofRoot('a usual list', {}),
  ofRoot('a list without an authority key identifier', { keyId: null }),
  ofRoot(
    'an unknown critical extension in the list',
    { extensions: [extension('1.2.3.4', integer(1), true)] },
    UNUSABLE,
  ),
  ofRoot(
    'an unknown critical extension in an entry',
    { revoked: ['99'], entryExtensions: [extension('1.2.3.4', integer(1), true)] },
    UNUSABLE,
  ),
  ofRoot(
    'a reason that is critical',
    { revoked: ['99'], entryExtensions: [extension('2.5.29.21', tagged(10, Buffer.from([1])), true)] },
    UNUSABLE,
  ),
  ofRoot(
    'a reason code that does not exist',
    { revoked: ['99'], entryExtensions: [extension('2.5.29.21', integer(1))] },
    { ...INVALID, stricter: IGNORED },
  ),
  ofRoot(
    'a reason that only delta lists have',
    { revoked: [leaf.serial], entryExtensions: [extension('2.5.29.21', tagged(10, Buffer.from([8])))] },
    { ...UNUSABLE, stricter: 'the client that it names would be admitted' },
  ),
  ofRoot('a usual reason', {
    revoked: ['99'],
    entryExtensions: [extension('2.5.29.21', tagged(10, Buffer.from([1])))],
  }),
  ofRoot(
    'an entry of another issuer',
    {
      revoked: ['99'],
      entryExtensions: [
        extension('2.5.29.29', sequence(constructed(4, distinguishedName('Elsewhere'))), true),
      ],
    },
    { ...UNUSABLE, stricter: 'the entry revokes nothing' },
  ),
  ofRoot(
    'a delta list',
    { extensions: [extension('2.5.29.27', integer(1), true)] },
    { ...UNUSABLE, stricter: VERSIONS },
  ),
  ofRoot('user certificates only', { extensions: [point(primitive(1, YES))] }, UNUSABLE),
  ofRoot('CA certificates only', { extensions: [point(primitive(2, YES))] }, UNUSABLE),
  ofRoot('some reasons only', { extensions: [point(primitive(3, Buffer.from([1, 0x60])))] }, UNUSABLE),
  ofRoot('an indirect list', { extensions: [point(primitive(4, YES))] }, UNUSABLE),
  ofRoot('attribute certificates only', { extensions: [point(primitive(5, YES))] }, UNUSABLE),
  ofRoot('users only and CAs only', { extensions: [point(primitive(1, YES), primitive(2, YES))] }, UNUSABLE),
  ofRoot(
    'a distribution point that no certificate names',
    { extensions: [point(constructed(0, constructed(0, primitive(6, Buffer.from('http://a/b')))))] },
    UNUSABLE,
  ),
  ofRoot('an empty distribution point', { extensions: [point()] }, { ...INVALID, stricter: VERSIONS }),
  ofRoot(
    'a distribution point that is a number',
    { extensions: [extension('2.5.29.28', integer(1), true)] },
    { ...INVALID, stricter: IGNORED },
  ),
  ofRoot(
    'two distribution points',
    { extensions: [point(primitive(1, YES)), point(primitive(1, YES))] },
    { ...INVALID, stricter: IGNORED },
  ),
  ofRoot('the key identifier of another key', { keyId: authorityKeyId(Buffer.alloc(20, 1)) }, INVALID),
  ofRoot(
    'issuer and serial number of another certificate of the CA',
    { keyId: keyIdBySerial(root.name, Buffer.from([1])) },
    INVALID,
  ),
  ofRoot('issuer and serial number of the CA', {
    keyId: keyIdBySerial(root.name, Buffer.from(root.serial, 'hex')),
  }),
  ofRoot(
    'a key identifier that is a number',
    { keyId: extension('2.5.29.35', integer(1)) },
    { ...INVALID, stricter: IGNORED },
  ),
  ofRoot('a signature of another key', { signer: signerOf(other.privateKey) }, INVALID),
  {
    title: 'a list for users beside one for CAs',
    ca: [root.certPem],
    crl: [
      listed({ extensions: [point(primitive(1, YES))] }),
      listed({ extensions: [point(primitive(2, YES))] }),
    ],
    clients: [leaf],
  },
  {
    title: 'a list for CAs only, where clients of an intermediate have its own',
    ca: [root.certPem],
    crl: [listed({ extensions: [point(primitive(2, YES))] }), inter.crl()],
    clients: [leaf, deepLeaf],
    warned: 'CRL_UNUSABLE',
  },
  {
    title: 'a newer delta list beside the list that revokes a client',
    ca: [root.certPem],
    crl: [
      listed({ thisUpdate: hourAgo, revoked: [leaf.serial] }),
      listed({ extensions: [extension('2.5.29.27', integer(1), true)] }),
    ],
    clients: [leaf],
    ...UNUSABLE,
    stricter: VERSIONS,
  },
  {
    title: 'only lists of other CAs',
    ca: [root.certPem],
    crl: [other.crl()],
    clients: [leaf],
    refused: 'CRL_MISSING',
  },
  {
    title: 'no list for one of two CAs',
    ca: [root.certPem, other.certPem],
    crl: [root.crl()],
    clients: [leaf, other.issue()],
    warned: 'CRL_MISSING',
  },
]

const key = keyPair()
const clientKey = keyPair()
const keyText = (pair: { privateKey: KeyObject }) =>
  pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

/** A client whose certificate `Odd` signed. */
const below: Client = {
  chainPem: pem(
    'CERTIFICATE',
    oddCertificate({
      ...{ key: clientKey, subject: 'below', issuer: 'Odd', signer: signerOf(key.privateKey) },
      extensions: [basicConstraints(false), ...extendedKeyUsage('client')],
    }),
  ),
  keyPem: keyText(clientKey),
}

/** An anchor, tested with the clients that it signed and with itself as a client. */
const anchored = (
  title: string,
  options: Partial<OddOptions> & { more?: Buffer; label?: string },
  verdict: Partial<Case> = {},
): Case => {
  const { more = Buffer.alloc(0), label = 'CERTIFICATE', ...rest } = options
  const der = oddCertificate({ key, subject: 'Odd', ...rest })
  const itself = { chainPem: pem('CERTIFICATE', der), keyPem: keyText(key) }
  return { title, ca: [pem(label, Buffer.concat([der, more]))], clients: [below, itself], ...verdict }
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const ANY = '2.5.29.37.0'
const settings = (trust: readonly string[] | null, reject: readonly string[] = []) => ({
  label: 'TRUSTED CERTIFICATE',
  more: sequence(
    ...(trust ? [sequence(...trust.map(oid))] : []),
    ...(reject.length > 0 ? [constructed(0, ...reject.map(oid))] : []),
  ),
})
const CA = [basicConstraints(true)]
const usual = { extensions: CA }
const NOBODY = { refused: 'CA_INVALID' } as const
const NAMED = { warned: 'CA_INVALID' } as const
const netscape = (byte: number) => extension('2.16.840.1.113730.1.1', tagged(3, Buffer.from([0, byte])))
const foreign = { issuer: 'Elsewhere', signer: signerOf(keyPair().privateKey), extensions: CA }

const ANCHORS: readonly Case[] = [
  anchored('a usual anchor', usual),
  anchored('an anchor of version 1 that issued other certificates', { version: 1 }, NAMED),
  anchored('a key usage in place of basic constraints', { extensions: [keyUsage('keyCertSign')] }, NAMED),
  anchored('a Netscape type in place of basic constraints', { extensions: [netscape(7)] }, NAMED),
  anchored('a Netscape type that is not for TLS', { extensions: [netscape(1)] }, NOBODY),
  anchored('an anchor that is not a CA', { extensions: [basicConstraints(false)] }, NAMED),
  anchored(
    'a CA whose key usage lacks keyCertSign',
    { extensions: [...CA, keyUsage('digitalSignature')] },
    NAMED,
  ),
  anchored('a CA for servers only', { extensions: [...CA, ...extendedKeyUsage('server')] }, NOBODY),
  anchored(
    'a CA for any purpose',
    { extensions: [...CA, extension('2.5.29.37', sequence(oid(ANY)))] },
    NOBODY,
  ),
  anchored(
    'an unknown critical extension',
    { extensions: [...CA, extension('1.2.3.4', integer(1), true)] },
    NOBODY,
  ),
  anchored(
    'a critical subject key identifier',
    { extensions: [...CA, extension('2.5.29.14', octets(keyIdOf(key.publicKey)), true)] },
    NOBODY,
  ),
  anchored('basic constraints twice', { extensions: [...CA, ...CA] }, NOBODY),
  anchored(
    'an empty key usage',
    { extensions: [...CA, extension('2.5.29.15', tagged(3, Buffer.from([0])), true)] },
    NOBODY,
  ),
  anchored('an intermediate without its issuer', foreign, {
    warned: 'CA_INVALID',
    looser: 'the warning names the option that makes up for it',
  }),
  anchored('an intermediate without its issuer, where partial chains are allowed', foreign, {
    partial: true,
  }),
  anchored(
    'trust settings that reject client authentication',
    { ...usual, ...settings(null, [CLIENT_AUTH]) },
    NOBODY,
  ),
  anchored('trust settings that reject any purpose', { ...usual, ...settings(null, [ANY]) }, NOBODY),
  anchored('trust settings for servers only', { ...usual, ...settings([SERVER_AUTH]) }, NOBODY),
  anchored('trust settings for nothing', { ...usual, ...settings([]) }, NOBODY),
  anchored('trust settings for clients', { ...usual, ...settings([CLIENT_AUTH]) }),
  anchored('empty trust settings', { ...usual, ...settings(null) }),
  anchored(
    'trust settings that are malformed',
    { ...usual, label: 'TRUSTED CERTIFICATE', more: Buffer.from([1, 2, 3]) },
    NOBODY,
  ),
  anchored(
    'trust settings that make an intermediate an anchor',
    { ...foreign, ...settings([CLIENT_AUTH]) },
    {
      ...NOBODY,
      stricter: 'it would be trusted without its issuer',
    },
  ),
]

for (const one of [...LISTS, ...ANCHORS]) {
  test(`material that makes every client fail is refused before it is served: ${one.title}`, async (t) => {
    const accepted = await Promise.all(one.clients.map((client) => isAccepted(one, client)))
    const reply = await verdictOn(t, one)
    const codes = (reply.kind === 'refused' ? reply.problems : 'warnings' in reply ? reply.warnings : []).map(
      ({ code }) => code,
    )
    if (one.stricter === undefined && one.looser === undefined) {
      assert.equal(
        reply.kind === 'refused',
        !accepted.includes(true),
        `accepted: ${accepted}, found: ${codes}`,
      )
    }
    assert.equal(reply.kind, one.refused ? 'refused' : 'prepared', codes.join())
    assert.deepEqual([...new Set(codes)], [one.refused ?? one.warned ?? []].flat())
  })
}

test('a revocation list is verified with the key of its CA, for every algorithm', async (t) => {
  const wrong: string[] = []
  for (const [name, authority, make] of signers()) {
    const client = authority.issue({ names: ['client'] })
    for (const isRight of [true, false]) {
      const right = make()
      const signer = isRight
        ? right
        : { ...right, sign: (data: Uint8Array) => right.sign(Buffer.concat([data, data])) }
      const one = {
        title: name,
        ca: [authority.certPem],
        crl: [authority.crl({ signer })],
        clients: [client],
      }
      const reply = await verdictOn(t, one)
      const accepted = await isAccepted(one, client)
      if ((reply.kind === 'prepared') !== accepted)
        wrong.push(`${name}, right: ${isRight}, accepted: ${accepted}`)
      if (!isRight) assert.equal(accepted, false, name)
    }
  }
  assert.deepEqual(wrong, [])
})

test('a running engine keeps its clients when such material arrives, and its timer does not apply it later', async (t) => {
  const dir = tempDir(t)
  const paths = { cert: join(dir, 'c'), key: join(dir, 'k'), ca: join(dir, 'ca'), crl: join(dir, 'crl') }
  const write = (ca: string, crl: string) => {
    writeFileSync(paths.ca, ca)
    writeFileSync(paths.crl, crl)
  }
  writeFileSync(paths.cert, server.chainPem)
  writeFileSync(paths.key, server.keyPem, { mode: 0o600 })
  write(root.certPem, root.crl())
  const engine = await createReloadEngine({ ...paths, requestCert: true, logger: recordingLogger() })
  t.after(() => engine.close())
  const echo = createEcho(engine.serverOptions())
  engine.attach(echo)
  const port = await listen(t, echo)
  const connect = () =>
    handshake({ port, cert: leaf.chainPem, key: leaf.keyPem, confirm: true, waitForSession: false })
  for (const { title, ca, crl = [], refused } of LISTS.filter((one) => one.refused)) {
    write(ca.join(''), crl.join(''))
    for (const force of [false, true]) {
      const result = await engine.reload({ force })
      assert.equal(result.outcome, 'rejected', title)
      assert.equal(result.problems[0]?.code, refused, title)
    }
  }
  await connect()
})

test('a flipped bit in the signature of a leaf or an intermediate is detected with the key of the anchor', async (t) => {
  const dir = tempDir(t)
  const deep = inter.issue()
  const flat = root.issue()
  const own = selfSigned()
  const damaged = [
    ['a leaf under a configured anchor', withDamagedSignature(flat.certPem), flat],
    ['an intermediate under a configured anchor', deep.certPem + withDamagedSignature(inter.certPem), deep],
    ['a leaf under an intermediate in the file', withDamagedSignature(deep.certPem) + inter.certPem, deep],
    ['a self-signed leaf', withDamagedSignature(own.certPem), own],
  ] as const
  const paths = { cert: join(dir, 'c'), key: join(dir, 'k'), ca: join(dir, 'ca') }
  writeFileSync(paths.ca, root.certPem + other.certPem)
  for (const [what, chain, good] of damaged) {
    writeFileSync(paths.cert, chain)
    writeFileSync(paths.key, good.keyPem, { mode: 0o600 })
    const reply = await prepareHere(taskFor(paths))
    assert.deepEqual(
      reply.kind === 'refused' && reply.problems.map(({ code }) => code),
      ['SIGNATURE_INVALID'],
      what,
    )
    writeFileSync(paths.cert, good.chainPem)
    assert.equal((await prepareHere(taskFor(paths))).kind, 'prepared')
  }
})

test('an intermediate that may not issue certificates for servers is refused and named, as a client refuses it', async (t) => {
  const dir = tempDir(t)
  const paths = { cert: join(dir, 'c'), key: join(dir, 'k'), ca: join(dir, 'ca') }
  writeFileSync(paths.ca, root.certPem)
  const deep = inter.issue()
  writeFileSync(paths.key, deep.keyPem, { mode: 0o600 })
  const reissued = (extensions: readonly Buffer[]) => {
    const signer = signerOf(root.privateKey)
    const key = { privateKey: inter.privateKey, publicKey: inter.publicKey }
    return pem(
      'CERTIFICATE',
      oddCertificate({ key, signer, subject: inter.name, issuer: root.name, extensions }),
    )
  }
  for (const [extensions, why] of [
    [[basicConstraints(false)], /it is not a CA certificate/],
    [[...CA, ...extendedKeyUsage('client')], /its extended key usage lacks serverAuth/],
    [[...CA, extension('1.2.3.4', integer(1), true)], /its critical extension 1\.2\.3\.4/],
    [[keyUsage('keyCertSign')], /it has no basic constraints/],
  ] as const) {
    writeFileSync(paths.cert, deep.certPem + reissued(extensions))
    const reply = await prepareHere(taskFor(paths))
    const [problem] = reply.kind === 'refused' ? reply.problems : []
    assert.equal(problem?.code, 'CERT_PURPOSE', String(why))
    assert.match(problem?.message ?? '', why)
    assert.match(problem?.message ?? '', /Material Intermediate in /)
  }
  writeFileSync(paths.cert, deep.certPem + reissued(CA))
  assert.equal((await prepareHere(taskFor(paths))).kind, 'prepared')
})

test('a renewal with a damaged signature is refused although the trust files did not change', async (t) => {
  const dir = tempDir(t)
  const paths = { cert: join(dir, 'c'), key: join(dir, 'k'), ca: join(dir, 'ca') }
  writeFileSync(paths.ca, other.certPem + root.certPem)
  const first = root.issue()
  writeFileSync(paths.cert, first.certPem)
  writeFileSync(paths.key, first.keyPem, { mode: 0o600 })
  const engine = await createReloadEngine({ ...paths, logger: recordingLogger() })
  t.after(() => engine.close())
  const next = root.issue()
  writeFileSync(paths.cert, withDamagedSignature(next.certPem))
  writeFileSync(paths.key, next.keyPem, { mode: 0o600 })
  const refused = await engine.reload()
  assert.deepEqual([refused.outcome, refused.problems[0]?.code], ['rejected', 'SIGNATURE_INVALID'])
  assert.equal(refused.serving.fingerprint256, first.fingerprint256)
  writeFileSync(paths.cert, next.certPem)
  assert.equal((await engine.reload()).outcome, 'applied')
})

test('RSA keys above 8,192 bits are refused unless the policy allows them, in a certificate and among the anchors', async (t) => {
  const dir = tempDir(t)
  const large = largeKey()
  const text = pem('CERTIFICATE', oddCertificate({ key: large, subject: 'Odd', extensions: CA }))
  const names = { cert: join(dir, 'c'), key: join(dir, 'k') }
  writeFileSync(names.cert, server.chainPem)
  writeFileSync(names.key, server.keyPem, { mode: 0o600 })
  const odd = { cert: join(dir, 'odd.c'), key: join(dir, 'odd.k') }
  writeFileSync(odd.cert, text)
  writeFileSync(odd.key, keyText(large), { mode: 0o600 })
  for (const options of [{ ...names, ca: odd.cert }, odd]) {
    const refused = await prepareHere(taskFor(options))
    assert.ok(refused.kind === 'refused' && refused.problems.some(({ code }) => code === 'KEY_TOO_LARGE'))
  }
  const reply = await prepareHere(taskFor({ ...names, ca: odd.cert, policy: { largeKey: 'warn' } }))
  assert.ok(reply.kind === 'prepared' && reply.warnings.some(({ code }) => code === 'KEY_TOO_LARGE'))
})

/** The same RSA key, restricted to RSASSA-PSS parameters: Node takes the MGF digest from them. */
function boundTo(algorithm: Buffer, key: KeyObject): KeyObject {
  const info = sequence(integer(0), algorithm, octets(key.export({ type: 'pkcs1', format: 'der' })))
  return createPrivateKey({ key: info, format: 'der', type: 'pkcs8' })
}

async function verdictOn(t: TestContext, { ca, crl = [], partial = false }: Case) {
  const dir = tempDir(t)
  const write = (name: string, content: string) => {
    writeFileSync(join(dir, name), content, { mode: 0o600 })
    return join(dir, name)
  }
  const options = {
    ...{ cert: write('c', server.chainPem), key: write('k', server.keyPem), ca: write('ca', ca.join('')) },
    ...(crl.length > 0 ? { crl: write('crl', crl.join('')) } : {}),
    ...{ requestCert: true, tls: { allowPartialTrustChain: partial } },
  }
  return await prepareHere(taskFor(options))
}

/** How a plain Node server with this material answers a client. */
async function isAccepted(
  { ca, crl = [], partial = false }: Case,
  { chainPem, keyPem }: Client,
): Promise<boolean> {
  const [near, far] = duplexPair()
  const secureContext = tls.createSecureContext({
    ...{ cert: server.chainPem, key: server.keyPem, ca: ca.join(''), allowPartialTrustChain: partial },
    ...(crl.length > 0 ? { crl: [...crl] } : {}),
  })
  const serving = new tls.TLSSocket(near, {
    isServer: true,
    secureContext,
    requestCert: true,
    rejectUnauthorized: false,
  })
  const calling = tls.connect({ socket: far, cert: chainPem, key: keyPem, rejectUnauthorized: false })
  try {
    return await new Promise((resolve, reject) => {
      serving.on('secure', () => resolve((serving as unknown as Internal).ssl.verifyError() == null))
      // Errors that a failed verification leaves in OpenSSL's queue end the handshake on some versions of Node.
      serving.on('error', () => resolve(false))
      calling.on('error', reject)
    })
  } finally {
    serving.destroy()
    calling.destroy()
  }
}

function keyIdBySerial(name: string, serial: Buffer): Buffer {
  const issuer = constructed(1, constructed(4, distinguishedName(name)))
  return extension('2.5.29.35', sequence(issuer, primitive(2, serial)))
}

/** Key types and algorithms with which a CA may sign its lists. */
function signers(): [string, Authority, () => Signer][] {
  const made: [string, Authority, () => Signer][] = []
  const rsa = createAuthority({ keyType: 'rsa-2048' })
  const ec = createAuthority()
  const add = (name: string, authority: Authority, algorithm: Buffer, act: (data: Uint8Array) => Buffer) =>
    made.push([name, authority, () => ({ algorithm, sign: act })])
  for (const [name, id, digest] of [
    ['RSA SHA-224', '1.2.840.113549.1.1.14', 'sha224'],
    ['RSA SHA-512/256', '1.2.840.113549.1.1.16', 'sha512-256'],
    ['RSA SHA-512/224', '1.2.840.113549.1.1.15', 'sha512-224'],
    ['RSA SHA3-256', '2.16.840.1.101.3.4.3.14', 'sha3-256'],
  ] as const) {
    add(name, rsa, sequence(oid(id), nothing()), (data) => sign(digest, data, rsa.privateKey))
  }
  for (const [name, id, digest] of [
    ['ECDSA SHA-224', '1.2.840.10045.4.3.1', 'sha224'],
    ['ECDSA SHA3-256', '2.16.840.1.101.3.4.3.10', 'sha3-256'],
  ] as const) {
    add(name, ec, sequence(oid(id)), (data) => sign(digest, data, ec.privateKey))
  }
  for (const keyType of ['ed25519', 'rsa-pss', 'ec-p384'] as const) {
    const authority = createAuthority({ keyType })
    made.push([keyType, authority, () => signerOf(authority.privateKey)])
  }
  const hashes = {
    sha256: '2.16.840.1.101.3.4.2.1',
    sha1: '1.3.14.3.2.26',
    sha384: '2.16.840.1.101.3.4.2.2',
  } as const
  const pss = createAuthority({ keyType: 'rsa-2048' })
  for (const [digest, mask, saltLength] of [
    ['sha256', 'sha256', 32],
    ['sha256', 'sha256', 20],
    ['sha384', 'sha1', 48],
  ] as const) {
    const id = (hash: keyof typeof hashes) => sequence(oid(hashes[hash]), nothing())
    const algorithm = sequence(
      oid('1.2.840.113549.1.1.10'),
      sequence(
        constructed(0, id(digest)),
        constructed(1, sequence(oid('1.2.840.113549.1.1.8'), id(mask))),
        constructed(2, integer(saltLength)),
      ),
    )
    if (digest === mask) {
      const options = { key: pss.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
      add(`RSA-PSS ${digest} ${saltLength}`, pss, algorithm, (data) => sign(digest, data, options))
    } else {
      const options = { key: boundTo(algorithm, pss.privateKey), saltLength }
      add(`RSA-PSS ${digest}, mask ${mask}`, pss, algorithm, (data) => sign(digest, data, options))
    }
  }
  return made
}

interface Internal {
  readonly ssl: { verifyError(): Error | null | undefined }
}
