import type { AuthorityFacts, AuthorityList } from '../parse/authorities.js'
import type { AuthorityBlock, JudgedAuthority } from '../parse/trust-blocks.js'
import type { Findings } from '../problems/findings.js'
import type { Policy } from '../protocol/material.js'
import { BrokenAnchor } from './broken-anchor.js'
import { authorityFacts, whyBrokenInUse } from './judge-authorities.js'

/**
 * The trust anchors that OpenSSL receives. A broken anchor is left out with a warning, so that one certificate does not
 * keep the rest of a bundle out of service. By default the set is refused if OpenSSL would trust more through the
 * anchor than through a root, or if no chain could end at the remaining anchors (intermediates without their root). It
 * is always refused if no anchor would remain, or if a certificate cannot be read, because its file may be damaged
 * elsewhere too.
 *
 * @param known facts of the anchors in service; parsing a certificate takes 0.1 ms on OpenSSL 3.0.
 */
export function anchorsInForce(
  blocks: readonly AuthorityBlock[],
  known: AuthorityList,
  { brokenAnchor }: Policy,
  partialChain: boolean,
  found: Findings,
): JudgedAuthority[] {
  const inForce: JudgedAuthority[] = []
  const broken: BrokenAnchor[] = []
  for (const block of blocks) {
    const facts = found.attempt(() => factsOr(broken, block, known, partialChain))
    if (facts) inForce.push({ block, facts })
  }
  const isEmptied = !inForce.some(({ facts }) => partialChain || facts.issuer === null)
  for (const { problem, widensTrust } of broken) {
    const { code, message, path } = problem
    const verdict = brokenAnchor ?? (widensTrust || isEmptied ? 'reject' : 'warn')
    if (inForce.length === 0) found.refuse(code, message, path)
    else if (found.rejects(verdict)) found.judge(verdict, code, message, path)
    else {
      const effect = 'it is left out of the trust anchors: remove it from the file'
      found.judge('warn', code, `${message}; ${effect}`, path)
    }
  }
  return inForce
}

function factsOr(
  broken: BrokenAnchor[],
  block: AuthorityBlock,
  known: AuthorityList,
  partialChain: boolean,
): AuthorityFacts | null {
  try {
    const facts = known.byDigest.get(block.digest) ?? authorityFacts(block, partialChain)
    const why = whyBrokenInUse(facts, block.path, partialChain)
    if (why === null) return facts
    broken.push(why)
  } catch (error) {
    if (!(error instanceof BrokenAnchor)) throw error
    broken.push(error)
  }
  return null
}
