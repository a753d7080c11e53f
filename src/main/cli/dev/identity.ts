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

/** The files of a development identity, and facts about its certificate. */
export interface DevelopmentIdentity {
  readonly certPath: string
  readonly keyPath: string
  /** The CA certificate that clients must trust. */
  readonly caPath: string
  readonly fingerprint256: string
  readonly notAfter: Date
  /** The second pair, with an ML-DSA key; `null` if there is none. */
  readonly mlDsa: { readonly certPath: string; readonly keyPath: string } | null
}

export interface DevelopmentIdentityOptions {
  /** @defaultValue `['localhost']`; in a rotation, the names of the previous certificate */
  readonly names?: readonly string[] | undefined
  /** @defaultValue `['127.0.0.1', '::1']`; in a rotation, the addresses of the previous certificate */
  readonly ips?: readonly string[] | undefined
  /** @defaultValue 30 */
  readonly days?: number | undefined
}

export interface CreateDevelopmentIdentityOptions extends DevelopmentIdentityOptions {
  /** Replaces an existing identity, including its CA. @defaultValue false */
  readonly force?: boolean | undefined
  /** Creates a second pair of the same CA, with an ML-DSA-65 key. @defaultValue false */
  readonly mlDsa?: boolean | undefined
}

/**
 * Creates a CA and a certificate in `dir`. Existing files are only replaced with `force`.
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
  // Checked again: another user may have created the directory meanwhile.
  assertOurs(dir, paths)
  const authority = createDevelopmentAuthority()
  const { leaf, files } = issuePairs(paths, authority, leafOptions(options), options.mlDsa === true)
  await replaceFiles([...pairFiles(authority, paths.ca, paths.caKey), ...files])
  // An existing pair was issued by the replaced CA.
  if (options.mlDsa !== true) await Promise.all(mlDsaPaths(paths).map((path) => rm(path, { force: true })))
  return describe(paths, leaf)
}

/**
 * Renews the certificate in `dir`, and the ML-DSA certificate if there is one, with new keys, the same CA and, by default,
 * the same names.
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

/** The identity for `serve` without a certificate: created if missing, renewed in its last day, otherwise kept. */
export async function ensureDevelopmentIdentity(dir: string): Promise<DevelopmentIdentity> {
  const paths = pathsIn(dir)
  assertOurs(dir, paths)
  if (!existsSync(paths.caKey)) return createDevelopmentIdentity(dir)
  const current = readPair(paths.cert, paths.key)
  const lasts = current !== undefined && Date.parse(current.certificate.validTo) - Date.now() > dayMs
  return lasts ? describe(paths, current.certificate) : rotateDevelopmentIdentity(dir)
}

const dayMs = 86_400_000

/** Issues all pairs of a server, so that none is written unless all could be issued. */
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
 * Refuses a directory that another user can write to, or whose parents they can: that user could replace key and CA.
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

/** Appends the root to the chain, which is then complete. */
function withAuthority({ certPem, keyPem }: PemPair, authority: PemPair): PemPair {
  return { certPem: certPem + authority.certPem, keyPem }
}

/** The key first, so that a reader of the new certificate finds its key. */
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

/** `undefined` if a file is missing or broken, or if the files do not match; an unreadable file is an error. */
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
