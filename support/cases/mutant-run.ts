// Reads mutants in a separate process, so that crashes of native code are detected. It writes the number of each mutant
// before reading it, and a line for each failure after it.
//
//   node mutant-run.js SEED FROM TO

import { mkdirSync, mkdtempSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import tls from 'node:tls'

import type { Problem } from '../../src/workers/base/problem.js'
import { judgePeers } from '../../src/workers/judge/judge-peers.js'
import type { PreparedMaterial } from '../../src/workers/protocol/prepare.js'
import { numbersFrom } from '../base/long-mode.js'
import { createAuthority } from '../material/certificates.js'
import { pem } from '../material/der.js'
import { encryptedPkcs8 } from '../material/key-forms.js'
import { type KeyPair, signerOf } from '../material/keys.js'
import { derOf } from '../material/pem-text.js'
import { authenticatedSafe, pkcs12, withMac } from '../material/pkcs12.js'
import { signedWhole } from '../material/x509.js'
import { hostTask, preparedHosts, prepareHere, taskFor } from '../worker/tasks-here.js'
import { mutated, type Random } from './der-mutants.js'
import { unusualExtensions } from './unusual-extensions.js'

const [seed, from, to] = process.argv.slice(2).map(Number) as [number, number, number]

/** Limit of CPU time in milliseconds, which other load on the machine does not affect. */
const LIMIT_MS = 1000
const PASSPHRASE = 'Hagebutte'

const root = createAuthority({ name: 'Mutant Root' })
const intermediate = root.issueAuthority({ name: 'Mutant Intermediate' })
const leaf = intermediate.issue({ names: ['localhost', 'a.example'] })
const list = derOf(root.crl({ revoked: ['01', '02'] }))
const donors = unusualExtensions

const dir = mkdtempSync(join(tmpdir(), 'mutants-'))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
const hosts = join(dir, 'hosts')
mkdirSync(join(hosts, 'one'), { recursive: true })
const paths = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') }
const [ca, crl, pfx] = ['ca.crt', 'ca.crl', 'tls.p12'].map((name) => join(dir, name)) as [
  string,
  string,
  string,
]

interface Outcome {
  readonly warnings: readonly Problem[]
  /** The material that would be served; `null` if it was refused. */
  readonly material: Pick<PreparedMaterial, 'pairs'> | null
}

const kinds: Readonly<Record<string, (random: Random) => Promise<Outcome>>> = {
  certificate: (random) => preparedPair(reissued(leaf.certDer, random, intermediate) + intermediate.certPem),
  chain: (random) => preparedPair(leaf.certPem + reissued(intermediate.certDer, random, root)),
  async anchor(random) {
    write(paths.cert, leaf.chainPem)
    write(paths.key, leaf.keyPem)
    write(ca, reissued(root.certDer, random, root))
    return await prepared({ ...paths, ca, requestCert: true })
  },
  async list(random) {
    write(paths.cert, leaf.chainPem)
    write(paths.key, leaf.keyPem)
    write(ca, root.certPem)
    write(crl, pem('X509 CRL', signedWhole(signerOf(root.privateKey), mutated(bodyOf(list), random, donors))))
    return await prepared({ ...paths, ca, crl, requestCert: true })
  },
  async host(random) {
    write(join(hosts, 'one', 'tls.crt'), reissued(leaf.certDer, random, intermediate) + intermediate.certPem)
    write(join(hosts, 'one', 'tls.key'), leaf.keyPem)
    const { replies } = await preparedHosts(hostTask(join(hosts, '*')))
    return { warnings: replies.flatMap(({ warnings }) => warnings), material: null }
  },
  async peer(random) {
    const chains = [
      [derOf(reissued(leaf.certDer, random, intermediate)), intermediate.certDer],
      [leaf.certDer, derOf(reissued(intermediate.certDer, random, root)), root.certDer],
    ].map((certificates) => ({ certificates, completed: false }))
    judgePeers({
      ...{ authorities: Buffer.from(root.certPem), formerAuthorities: null, partialChain: false, chains },
      revocationLists: [Buffer.from(pem('X509 CRL', list))],
    })
    return { warnings: [], material: null }
  },
  async key(random) {
    const locked = derOf(
      encryptedPkcs8(leaf, PASSPHRASE, random() < 0.5 ? {} : { kdf: 'scrypt', cost: 1024 }),
    )
    write(paths.cert, leaf.chainPem)
    write(paths.key, pem('ENCRYPTED PRIVATE KEY', mutated(locked, random)))
    return await prepared({ ...paths, passphrase: PASSPHRASE })
  },
  async pkcs12(random) {
    const options = { leaf, chain: [intermediate], passphrase: PASSPHRASE, iterations: 16 }
    const plain = random() < 0.5
    write(
      pfx,
      plain
        ? mutated(pkcs12({ ...options, algorithm: 'none' }), random)
        : withMac(mutated(authenticatedSafe(options), random), options),
    )
    return await prepared({ pfx, passphrase: PASSPHRASE })
  },
}
const OF_ROOT: Readonly<Record<string, readonly string[]>> = {
  chain: ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  // The certificates in the file are not signed again.
  pkcs12: ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_SIGNATURE_FAILURE'],
}
const names = Object.keys(kinds)

for (let number = from; number < to; number++) {
  const name = names[number % names.length] as string
  writeSync(1, `${number} ${name}\n`)
  const started = process.cpuUsage()
  try {
    const outcome = await kinds[name]?.(numbersFrom(seed + number))
    const { user, system } = process.cpuUsage(started)
    const ms = (user + system) / 1000
    if (ms > LIMIT_MS) report(`took ${Math.round(ms)} ms`)
    if (outcome?.material) {
      const distrust = await distrustOf(outcome.material)
      // Only a client with the root can detect these: the worker does not get the root.
      const isOfRoot = OF_ROOT[name]?.includes(distrust ?? '')
      if (distrust && !isOfRoot && outcome.warnings.length === 0) report(`is distrusted: ${distrust}`)
      writeSync(1, 'served\n')
    }
  } catch (error) {
    report(`threw ${error instanceof Error ? error.stack : error}`)
  }
}

function report(what: string): void {
  writeSync(1, `! ${what.replaceAll('\n', ' | ')}\n`)
}

function write(path: string, content: string | Buffer): void {
  rmSync(path, { force: true })
  writeFileSync(path, content, { mode: 0o600 })
}

function bodyOf(der: Buffer): Buffer {
  const header = der.readUInt8(1) < 0x80 ? 2 : 2 + (der.readUInt8(1) & 0x7f)
  const rest = der.subarray(header)
  const count = rest.readUInt8(1) < 0x80 ? 0 : rest.readUInt8(1) & 0x7f
  const length = count === 0 ? rest.readUInt8(1) : rest.readUIntBE(2, count)
  return rest.subarray(0, 2 + count + length)
}

/** A certificate with a changed body, signed again by its issuer. */
function reissued(der: Buffer, random: Random, issuer: KeyPair): string {
  return pem('CERTIFICATE', signedWhole(signerOf(issuer.privateKey), mutated(bodyOf(der), random, donors)))
}

async function preparedPair(chain: string): Promise<Outcome> {
  write(paths.cert, chain)
  write(paths.key, leaf.keyPem)
  return await prepared(paths)
}

async function prepared(options: Parameters<typeof taskFor>[0]): Promise<Outcome> {
  const reply = await prepareHere(taskFor(options))
  if (reply.kind === 'prepared') return reply
  if (reply.kind !== 'refused' || reply.problems.length === 0)
    throw new TypeError(`expected problems: ${reply.kind}`)
  return { warnings: reply.warnings, material: null }
}

/** Why a client that trusts the root does not verify it; `null` if it does. Node prints the certificates for the client. */
async function distrustOf({ pairs }: Pick<PreparedMaterial, 'pairs'>): Promise<string | null> {
  const [near, far] = duplexPair()
  const server = new tls.TLSSocket(near, {
    isServer: true,
    secureContext: tls.createSecureContext({
      cert: pairs.map(({ chain }) => Buffer.from(chain)),
      key: pairs.map(({ key }) => Buffer.from(key)),
    }),
  })
  const client = tls.connect({
    socket: far,
    secureContext: tls.createSecureContext({ ca: root.certPem }),
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  })
  try {
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject)
      client.on('error', reject)
      client.on('secureConnect', resolve)
    })
    client.getPeerCertificate(true)
    return client.authorized ? null : String(client.authorizationError)
  } finally {
    server.destroy()
    client.destroy()
  }
}
