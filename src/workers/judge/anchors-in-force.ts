import type { AuthorityFacts, AuthorityList } from '../parse/authorities.js'
import type { AuthorityBlock, JudgedAuthority } from '../parse/trust-blocks.js'
import type { Findings } from '../problems/findings.js'
import type { Policy } from '../protocol/material.js'
import { BrokenAnchor } from './broken-anchor.js'
import { authorityFacts, whyBrokenInUse } from './judge-authorities.js'

/**
 * The trust anchors that OpenSSL is given. A broken one is left out with a warning, so that one certificate of a bundle does
 * not keep the others out of service. By default it refuses the set where OpenSSL would trust more through it than through a
 * root, or where no chain could end at those that are left: intermediates without their root. It always refuses the set where
 * no anchor would be left. A certificate that cannot be read refuses the set in any case: its file may be damaged in other
 * places too.
 *
 * @param known of what is served; parsing a certificate takes 0.1 ms on OpenSSL 3.0.
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
