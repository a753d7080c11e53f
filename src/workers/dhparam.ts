import { describe } from './certificates.js'
import { childrenOf, nodeAt } from './der.js'
import type { Findings } from './findings.js'
import { splitPem } from './pem.js'
import { ProblemError } from './problem.js'
import type { Policy } from './protocol.js'

/** OpenSSL drops what it cannot parse without a word, and refuses primes below 1,024 bits. */
const LEAST_BITS = 1024
const SAFE_BITS = 2048

/**
 * Diffie-Hellman parameters as clean PEM.
 *
 * @throws ProblemError `DHPARAM_INVALID` or `PEM_INVALID`.
 */
export function readDhparam(bytes: Buffer, path: string, policy: Policy, found: Findings): string {
  const blocks = splitPem(bytes, path)
  const block = blocks.find(({ label }) => label === 'DH PARAMETERS')
  if (!block) {
    throw new ProblemError('DHPARAM_INVALID', `${path} holds no DH parameters, but ${describe(blocks)}`, path)
  }
  const bits = primeBits(block.pem)
  if (bits === null || bits < LEAST_BITS) {
    const what =
      bits === null
        ? 'are damaged'
        : `have a prime of ${bits} bits, and OpenSSL takes no less than ${LEAST_BITS}`
    throw new ProblemError('DHPARAM_INVALID', `the DH parameters in ${path} ${what}`, path)
  }
  if (bits < SAFE_BITS) {
    const message = `the DH parameters in ${path} have a prime of ${bits} bits; less than ${SAFE_BITS} is weak`
    found.judge(policy.weakKey, 'KEY_TOO_WEAK', message, path)
  }
  return block.pem
}

/** DHParameter ::= SEQUENCE { prime INTEGER, base INTEGER, ... } (PKCS #3). */
function primeBits(pem: string): number | null {
  const der = Buffer.from(pem.slice(pem.indexOf('\n')), 'base64')
  try {
    const [prime] = childrenOf(der, nodeAt(der, 0))
    if (prime?.tag !== 0x02) return null
    return BigInt(`0x0${der.toString('hex', prime.from, prime.to)}`).toString(2).length
  } catch {
    return null
  }
}
