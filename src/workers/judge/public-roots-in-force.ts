import { ProblemError } from '../base/problem.js'
import type { AuthorityFacts, AuthorityList } from '../parse/authorities.js'
import type { AuthorityBlock, JudgedAuthority, TrustBlocks } from '../parse/trust-blocks.js'
import type { Findings } from '../problems/findings.js'
import { authorityFacts, whyBrokenInUse } from './judge-authorities.js'

/**
 * The public roots that OpenSSL receives. Others maintain them, so all that cannot be trust anchors are left out with one
 * warning, regardless of the policy. The set is refused if none remains.
 */
export function publicRootsInForce(
  { authorities }: Pick<TrustBlocks, 'authorities'>,
  known: AuthorityList,
  partialChain: boolean,
  found: Findings,
): JudgedAuthority[] {
  const blocks = authorities.filter(({ isPublic }) => isPublic)
  const inForce: JudgedAuthority[] = []
  let first: ProblemError | null = null
  for (const block of blocks) {
    const facts = factsOrProblem(block, known, partialChain)
    if (facts instanceof ProblemError) first ??= facts
    else inForce.push({ block, facts })
  }
  if (!first) return inForce
  const { code, message, path } = first.problem
  const count = blocks.length - inForce.length
  if (inForce.length === 0) found.refuse(code, `no public root can be a trust anchor: ${message}`, path)
  else found.judge('warn', code, `${count} of ${blocks.length} public roots are left out: ${message}`, path)
  return inForce
}

function factsOrProblem(
  block: AuthorityBlock,
  known: AuthorityList,
  partialChain: boolean,
): AuthorityFacts | ProblemError {
  try {
    const facts = known.byDigest.get(block.digest) ?? authorityFacts(block, partialChain)
    return whyBrokenInUse(facts, block.path, partialChain) ?? facts
  } catch (error) {
    if (error instanceof ProblemError) return error
    throw error
  }
}
