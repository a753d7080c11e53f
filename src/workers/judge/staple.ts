import type { X509Certificate } from 'node:crypto'

import { mustStaple } from '../formats/tls-feature.js'
import type { Findings } from '../problems/findings.js'
import { markWork } from '../progress/progress.js'
import type { Policy } from '../protocol/material.js'
import type { Role } from '../protocol/roles.js'
import type { MaterialItem, MaterialSet } from '../read/material-reader.js'
import type { Identity } from './identity.js'
import { judgeOcsp, type Staple } from './judge-ocsp.js'
import type { NamedAnchors } from './named-anchors.js'

export type { Staple } from './judge-ocsp.js'

const ROLE: ReadonlySet<Role> = new Set(['ocsp'])

/** Identifies the content of the OCSP response file, or why it could not be read; empty without one. */
export function ocspDigestOf(set: MaterialSet): string {
  return set
    .fingerprintOf(ROLE)
    .map(({ value }) => value)
    .join()
}

/** The OCSP response for the leaf of this pair; `null` if none fits. Then a must-staple leaf has a separate warning. */
export function readStaple(
  identity: Identity,
  set: MaterialSet,
  anchorsNamed: NamedAnchors,
  policy: Pick<Policy, 'badOcsp' | 'clockSkewSeconds'>,
  found: Findings,
): Staple | null {
  const [item] = set.itemsOf('ocsp')
  const staple = item ? stapleIn(item, identity, anchorsNamed, policy, found) : null
  const nextUpdate = staple?.facts.nextUpdate
  const isOver = nextUpdate ? Date.parse(nextUpdate) <= Date.now() : !staple
  const [leaf] = identity.chain as [X509Certificate]
  if (isOver && mustStaple(leaf.raw)) {
    const where = item
      ? `but ${item.id} holds none for it`
      : 'but no OCSP response is configured: set the option "ocsp"'
    const message = `the certificate in ${identity.path} requires a stapled OCSP response (must-staple), ${where}; clients that know this extension refuse it`
    found.judge('warn', 'OCSP_MISSING', message, item?.id ?? identity.path)
  }
  return staple
}

function stapleIn(
  { id, bytes, failure }: MaterialItem,
  identity: Identity,
  anchorsNamed: NamedAnchors,
  policy: Pick<Policy, 'badOcsp' | 'clockSkewSeconds'>,
  found: Findings,
): Staple | null {
  markWork(id)
  if (!failure) return judgeOcsp(bytes, id, identity, anchorsNamed, policy, found)
  found.judge(policy.badOcsp, failure.code, `${failure.message}; no OCSP response is stapled`, id)
  return null
}
