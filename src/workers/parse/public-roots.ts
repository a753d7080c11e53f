import { X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'

import { derOf } from '../formats/pem.js'
import { canonicalSubjectOf } from '../formats/x509.js'

let publicRoots: ReadonlyMap<string, readonly string[]> | undefined
const parsedRoots = new Map<string, X509Certificate>()

/** Node's bundled roots, by name; read once per thread, and only when a chain needs them. */
export function publicRootsNamed(name: string): X509Certificate[] {
  publicRoots ??= rootsByName()
  return (publicRoots.get(name) ?? []).map((pem) => {
    const root = parsedRoots.get(pem) ?? new X509Certificate(pem)
    parsedRoots.set(pem, root)
    return root
  })
}

function rootsByName(): Map<string, string[]> {
  const roots = new Map<string, string[]>()
  for (const pem of rootCertificates) {
    const name = canonicalSubjectOf(derOf(pem))
    roots.set(name, [...(roots.get(name) ?? []), pem])
  }
  return roots
}
