import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

import { ProblemError } from '../base/problem.js'
import type { PublicRoots } from '../protocol/material.js'
import { attempt } from './read-file.js'

/*
 * Node reads the certificates of the operating system once and caches them for the process (`tls.getCACertificates('system')`).
 * Here they are read from their file, as any other material, so that a reload sees an update of the system.
 */

/** Bundles of Debian, Red Hat, SUSE, Alpine, FreeBSD, OpenBSD and macOS, as in Go's `crypto/x509/root_linux.go` and `root_bsd.go`. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
  '/usr/local/share/certs/ca-root-nss.crt',
  '/usr/local/etc/ssl/cert.pem',
]

/**
 * The files of the requested public roots, by the environment of this process now. The roots that Node contains are in no file.
 *
 * @throws ProblemError `FILE_NOT_FOUND` when the operating system has no bundle at a known place.
 */
export function publicRootFiles(requested: readonly PublicRoots[]): string[] {
  return [...new Set(requested.flatMap((one) => (one === 'system' ? systemBundle() : extraRoots())))]
}

function systemBundle(): string {
  const path = fileNamedIn('SSL_CERT_FILE') ?? SYSTEM_BUNDLES.find((one) => existsSync(one))
  if (path !== undefined) return path
  const message =
    "`ca: 'system'`: this operating system has no certificate bundle at a known place; set SSL_CERT_FILE, name the file of " +
    "the bundle in `ca`, or use 'default' for the roots of Node"
  throw new ProblemError('FILE_NOT_FOUND', message)
}

/** Node adds this file to its own roots. */
function extraRoots(): string[] {
  const path = fileNamedIn('NODE_EXTRA_CA_CERTS')
  return path === undefined ? [] : [path]
}

function fileNamedIn(variable: string): string | undefined {
  const path = process.env[variable]
  return path ? attempt(path, () => resolve(path)) : undefined
}
