import { rootCertificates } from 'node:tls'

import type { FingerprintEntry } from '../../fingerprint/index.js'
import type { Role } from '../protocol/roles.js'
import type { MaterialItem, MaterialReader, MaterialSet } from './material-reader.js'

const ID = "Node's bundled roots"
const ROLE: Role = 'public-ca'
/** They are compiled into Node. */
const ENTRY: FingerprintEntry = { path: ID, by: 'content', value: process.version }

/** A reader that adds the roots that Node contains, without those of `NODE_EXTRA_CA_CERTS`, which is a file. */
export function withBundledRoots(files: MaterialReader): MaterialReader {
  return {
    looksUnchanged(record) {
      const others = record.filter(({ path }) => path !== ID)
      return others.length < record.length && files.looksUnchanged(others)
    },
    read() {
      const set = files.read()
      return Array.isArray(set) ? set : joined(set)
    },
  }
}

function joined(files: MaterialSet): MaterialSet {
  return {
    ...files,
    fingerprint: [...files.fingerprint, ENTRY],
    fingerprintOf: (roles) => [...files.fingerprintOf(roles), ...(roles.has(ROLE) ? [ENTRY] : [])],
    itemsOf: (role) => [...files.itemsOf(role), ...(role === ROLE ? [bundledItem()] : [])],
  }
}

function bundledItem(): MaterialItem {
  return { role: ROLE, id: ID, bytes: Buffer.from(rootCertificates.join('\n')), version: process.version }
}
