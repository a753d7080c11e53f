import type { Host } from '../../src/main/generation/host.js'
import { datesOf } from '../../src/workers/hosts/pack.js'
import type { CertificateFacts, PreparedPair } from '../../src/workers/protocol/material.js'

/** A host that serves the names of its certificate; the certificate need not exist. */
export function servedHost(id: string, facts: CertificateFacts, pair: PreparedPair = emptyPair()): Host {
  const { names, notAfter, keyType } = facts
  return { id, names, notAfter, keyType, facts, dates: datesOf(facts), datesAt: 0, pair }
}

function emptyPair(): PreparedPair {
  return { chain: new Uint8Array(0), key: new Uint8Array(0) }
}
