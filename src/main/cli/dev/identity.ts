import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { readTrusted, trustedEntry, UntrustedPathError } from '../../base/trusted-path.js'
import type { DevelopmentCertificateOptions, PemPair } from './authority.js'
import { authorityName, createDevelopmentAuthority, issueDevelopmentCertificate } from './authority.js'
import { DevelopmentIdentityError } from './identity-error.js'
import type { NewFile } from './replace-files.js'
import { replaceFiles } from './replace-files.js'

/** Where the identity lies, and what it is. */
export interface DevelopmentIdentity {
  readonly certPath: string
  readonly keyPath: string
  /** What a client has to trust. */
  readonly caPath: string
  readonly fingerprint256: string
  readonly notAfter: Date
  /** The second pair, with a key of ML-DSA; `null` without one. */
  readonly mlDsa: { readonly certPath: string; readonly keyPath: string } | null
}

export interface DevelopmentIdentityOptions {
  /** @defaultValue `['localhost']`; in a rotation, the names of the certificate before it */
  readonly names?: readonly string[] | undefined
  /** @defaultValue `['127.0.0.1', '::1']`; in a rotation, the addresses of the certificate before it */
  readonly ips?: readonly string[] | undefined
  /** @defaultValue 30 */
  readonly days?: number | undefined
}

export interface CreateDevelopmentIdentityOptions extends DevelopmentIdentityOptions {
  /** Replaces what is there, the authority too. @defaultValue false */
  readonly force?: boolean | undefined
  /** Makes a second pair of the same authority, with a key of ML-DSA-65. @defaultValue false */
  readonly mlDsa?: boolean | undefined
}

/**
 * Makes an authority and a certificate in `dir`. Unless forced, it replaces nothing.
 *
 * @throws DevelopmentIdentityError
 */
export async function createDevelopmentIdentity(
  dir: string,
  options: CreateDevelopmentIdentityOptions = {},
): Promise<DevelopmentIdentity> {
  const paths = pathsIn(dir)
  assertOurs(dir, paths)
  const taken = Object.values(paths).find((path) => existsSync(path))
  if (taken !== undefined && options.force !== true) {
    throw new DevelopmentIdentityError('IDENTITY_EXISTS', `${taken} already exists`)
  }
  await mkdir(dir, { recursive: true, mode: 0o700 })
  // Another user may have made it meanwhile.
  assertOurs(dir, paths)
  const authority = createDevelopmentAuthority()
  const { leaf, files } = issuePairs(paths, authority, leafOptions(options), options.mlDsa === true)
  await replaceFiles([...pairFiles(authority, paths.ca, paths.caKey), ...files])
  // One that was there is of an authority that is no more.
  if (options.mlDsa !== true) await Promise.all(mlDsaPaths(paths).map((path) => rm(path, { force: true })))
  return describe(paths, leaf)
}

/**
 * Renews the certificate in `dir`, and the one with ML-DSA if there is one: new keys, the same authority and, unless options
 * say otherwise, the same names.
 *
 * @throws DevelopmentIdentityError
 */
export async function rotateDevelopmentIdentity(
  dir: string,
  options: DevelopmentIdentityOptions = {},
): Promise<DevelopmentIdentity> {
  const paths = pathsIn(dir)
  assertOurs(dir, paths)
  const authority = readAuthority(paths)
  const previous = readPair(paths.cert, paths.key)
  const renewed = leafOptions(options, previous?.certificate)
  const { leaf, files } = issuePairs(paths, authority, renewed, mlDsaPaths(paths).some(existsSync))
  await replaceFiles(files)
  return describe(paths, leaf)
}

/** What `serve` starts with when it is given no certificate: makes one, renews one in its last day, or keeps it. */
export async function ensureDevelopmentIdentity(dir: string): Promise<DevelopmentIdentity> {
  const paths = pathsIn(dir)
  assertOurs(dir, paths)
  if (!existsSync(paths.caKey)) return createDevelopmentIdentity(dir)
  const current = readPair(paths.cert, paths.key)
  const lasts = current !== undefined && Date.parse(current.certificate.validTo) - Date.now() > dayMs
  return lasts ? describe(paths, current.certificate) : rotateDevelopmentIdentity(dir)
}

const dayMs = 86_400_000

/** All pairs of a server, of which none is written before all have been made. */
function issuePairs(
  paths: IdentityPaths,
  authority: PemPair,
  options: DevelopmentCertificateOptions,
  mlDsa: boolean,
): { leaf: X509Certificate; files: NewFile[] } {
  const leaf = issueDevelopmentCertificate(authority, options)
  const files = pairFiles(withAuthority(leaf, authority), paths.cert, paths.key)
  if (mlDsa) {
    const second = issueDevelopmentCertificate(authority, options, 'ml-dsa')
    files.push(...pairFiles(withAuthority(second, authority), paths.mlDsaCert, paths.mlDsaKey))
  }
  return { leaf: new X509Certificate(leaf.certPem), files }
}

function mlDsaPaths({ mlDsaCert, mlDsaKey }: IdentityPaths): string[] {
  return [mlDsaCert, mlDsaKey]
}

interface IdentityPaths {
  readonly ca: string
  readonly caKey: string
  readonly cert: string
  readonly key: string
  readonly mlDsaCert: string
  readonly mlDsaKey: string
}

interface ParsedPair extends PemPair {
  readonly certificate: X509Certificate
}

function pathsIn(dir: string): IdentityPaths {
  return {
    ca: join(dir, 'ca.crt'),
    caKey: join(dir, 'ca.key'),
    cert: join(dir, 'tls.crt'),
    key: join(dir, 'tls.key'),
    mlDsaCert: join(dir, 'ml-dsa.crt'),
    mlDsaKey: join(dir, 'ml-dsa.key'),
  }
}

function leafOptions(
  options: DevelopmentIdentityOptions,
  previous?: X509Certificate,
): DevelopmentCertificateOptions {
  const before =
    previous === undefined ? { names: ['localhost'], ips: ['127.0.0.1', '::1'] } : namesOf(previous)
  return { names: options.names ?? before.names, ips: options.ips ?? before.ips, days: options.days ?? 30 }
}

function namesOf({ subjectAltName = '' }: X509Certificate): { names: string[]; ips: string[] } {
  const entries = subjectAltName.split(', ')
  const ofKind = (prefix: string): string[] =>
    entries.filter((entry) => entry.startsWith(prefix)).map((entry) => entry.slice(prefix.length))
  return { names: ofKind('DNS:'), ips: ofKind('IP Address:') }
}

/**
 * Another user who can write to the directory, or to one on the way to it, decides what is served and what is trusted.
 *
 * @throws DevelopmentIdentityError `IDENTITY_UNSAFE`
 */
function assertOurs(dir: string, paths: IdentityPaths): void {
  orUnsafe(dir, () => {
    for (const path of [dir, ...Object.values(paths)]) trustedEntry(path)
  })
}

function orUnsafe<Result>(dir: string, look: () => Result): Result {
  try {
    return look()
  } catch (error) {
    if (!(error instanceof UntrustedPathError)) throw error
    const message = `the development identity in ${dir} is not used: ${error.message}`
    throw new DevelopmentIdentityError('IDENTITY_UNSAFE', message, { cause: error })
  }
}

/** The root is sent too, so that the chain shows where it ends. */
function withAuthority({ certPem, keyPem }: PemPair, authority: PemPair): PemPair {
  return { certPem: certPem + authority.certPem, keyPem }
}

/** The key first: a reader that sees the new certificate finds its key there. */
function pairFiles({ certPem, keyPem }: PemPair, certPath: string, keyPath: string): NewFile[] {
  return [
    { path: keyPath, content: keyPem, mode: 0o600 },
    { path: certPath, content: certPem, mode: 0o644 },
  ]
}

function readAuthority({ ca, caKey }: IdentityPaths): PemPair {
  const missing = [ca, caKey].find((path) => !existsSync(path))
  if (missing !== undefined) {
    throw new DevelopmentIdentityError(
      'AUTHORITY_MISSING',
      `${missing} is missing: a certificate can be renewed only where one was created`,
    )
  }
  const authority = readPair(ca, caKey)
  if (authority?.certificate.subject !== `CN=${authorityName}`) {
    throw new DevelopmentIdentityError(
      'AUTHORITY_INVALID',
      `expected ${ca} and ${caKey} to hold a certswap development CA and its key`,
    )
  }
  return authority
}

/** Nothing for files that are missing, broken, or not of one another; a file that may not be read is an error. */
function readPair(certPath: string, keyPath: string): ParsedPair | undefined {
  const [certPem, keyPem] = orUnsafe(dirname(certPath), () => [readTrusted(certPath), readTrusted(keyPath)])
  if (certPem === null || keyPem === null) return undefined
  try {
    const certificate = new X509Certificate(certPem)
    return certificate.checkPrivateKey(createPrivateKey(keyPem))
      ? { certPem, keyPem, certificate }
      : undefined
  } catch {
    return undefined
  }
}

function describe(paths: IdentityPaths, { fingerprint256, validTo }: X509Certificate): DevelopmentIdentity {
  return {
    certPath: paths.cert,
    keyPath: paths.key,
    caPath: paths.ca,
    fingerprint256,
    notAfter: new Date(validTo),
    mlDsa: mlDsaPaths(paths).every(existsSync)
      ? { certPath: paths.mlDsaCert, keyPath: paths.mlDsaKey }
      : null,
  }
}
