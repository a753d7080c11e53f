import { describe } from './certificates.js'
import { childrenOf, nodeAt } from './der.js'
import type { FileSet } from './file-set.js'
import type { Findings } from './findings.js'
import { derOf, splitPem } from './pem.js'
import { ProblemError } from './problem.js'
import { workingOn } from './progress.js'
import type { MaterialSources, Policy } from './protocol.js'

/** OpenSSL drops what it cannot parse without a word, and refuses primes below 1,024 bits. */
const LEAST_BITS = 1024
const SAFE_BITS = 2048

/**
 * Diffie-Hellman parameters as clean PEM; `null` where none are configured.
 *
 * @throws ProblemError `DHPARAM_INVALID` or `PEM_INVALID`.
 */
export function readDhparam(
  { dhparam: path }: MaterialSources,
  set: FileSet,
  policy: Policy,
  found: Findings,
): string | null {
  if (path === null) return null
  workingOn(path)
  const blocks = splitPem(set.bytesOf('dhparam', path), path)
  const block = blocks.find(({ label }) => label === 'DH PARAMETERS')
  if (!block) throw invalid(path, `${path} holds no DH parameters, but ${describe(blocks)}`)
  const bits = primeBits(block.pem)
  if (bits === null) throw invalid(path, `the DH parameters in ${path} are damaged`)
  if (bits < LEAST_BITS) {
    throw invalid(path, `the DH prime in ${path} has ${bits} bits; OpenSSL takes no less than ${LEAST_BITS}`)
  }
  if (bits < SAFE_BITS) {
    const message = `the DH prime in ${path} has ${bits} bits; less than ${SAFE_BITS} is weak`
    found.judge(policy.weakKey, 'KEY_TOO_WEAK', message, path)
  }
  return block.pem
}

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('DHPARAM_INVALID', message, path)
}

/** DHParameter ::= SEQUENCE { prime INTEGER, base INTEGER, ... } (PKCS #3). */
function primeBits(pem: string): number | null {
  const der = derOf(pem)
  try {
    const [prime] = childrenOf(der, nodeAt(der, 0))
    if (prime?.tag !== 0x02) return null
    return BigInt(`0x0${der.toString('hex', prime.from, prime.to)}`).toString(2).length
  } catch {
    return null
  }
}
