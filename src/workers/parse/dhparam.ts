import { ProblemError } from '../base/problem.js'
import { shellWord } from '../base/shell-word.js'
import { assertDer, childrenOf, naturalOf } from '../formats/der.js'
import { derOf, splitPem } from '../formats/pem.js'
import { pemHint } from '../formats/pem-hints.js'
import { isPrimeOrderGroup, isSafePrime } from '../formats/safe-prime.js'
import type { Findings } from '../problems/findings.js'
import { markWork } from '../progress/progress.js'
import type { Policy } from '../protocol/material.js'
import { assertFilled } from '../read/emptiness.js'
import type { MaterialSet } from '../read/material-reader.js'
import { describe } from './certificates.js'

/** OpenSSL silently ignores what it cannot parse, and refuses primes below 1,024 bits. */
const MIN_BITS = 1024
const SAFE_BITS = 2048
/** OpenSSL accepts up to 10,000 bits, which block the event loop for a third of a second per handshake. */
const MAX_BITS = 8192
/** Minimum size of private values: twice the strength of a 2,048-bit prime (RFC 7919, section 5.2). */
const MIN_PRIVATE_BITS = 224

/**
 * Diffie-Hellman parameters as normalized PEM; `null` if none are configured.
 *
 * @throws ProblemError `DHPARAM_INVALID` or `PEM_INVALID`.
 */
export function readDhparam(set: MaterialSet, policy: Policy, found: Findings): string | null {
  const [item] = set.itemsOf('dhparam')
  if (!item) return null
  const { id: path, bytes } = item
  markWork(path)
  assertFilled(bytes, path, 'DHPARAM_INVALID')
  const blocks = splitPem(bytes, path)
  const block = blocks.find(({ label }) => label === PKCS3 || label === X942)
  if (!block) {
    throw invalid(path, `${path} holds no DH parameters, but ${describe(blocks)}${pemHint(blocks, path)}`)
  }
  const group = block.label === X942 ? readX942Group(block.pem) : readGroup(block.pem)
  if (group === null) throw invalid(path, `the DH parameters in ${path} are damaged`)
  const bits = bitsOf(group.prime)
  if (bits < MIN_BITS || bits > MAX_BITS) {
    const bound =
      bits < MIN_BITS ? `OpenSSL requires at least ${MIN_BITS}` : `at most ${MAX_BITS} are allowed`
    throw invalid(path, `the DH prime in ${path} has ${bits} bits; ${bound}`)
  }
  const flaw = flawOf(group, block.pem)
  if (flaw !== null) {
    throw invalid(
      path,
      `the DH parameters in ${path} are not safe: ${flaw}; write them with: openssl dhparam -out ${shellWord(path)} ${SAFE_BITS}`,
    )
  }
  if (bits < SAFE_BITS) {
    const message = `the DH prime in ${path} has ${bits} bits; less than ${SAFE_BITS} bits is weak`
    found.judge(policy.weakKey, 'KEY_TOO_WEAK', message, path)
  }
  return block.pem
}

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('DHPARAM_INVALID', message, path)
}

interface Group {
  readonly prime: bigint
  readonly generator: bigint
  /** Length of private values in bits; `null` if the file leaves it to OpenSSL. */
  readonly privateBits: bigint | null
  /** The order of the generator, if the file contains it. */
  readonly order: bigint | null
}

const PKCS3 = 'DH PARAMETERS'
/** Node also loads these; `openssl genpkey -genparam -algorithm DHX` writes them. */
const X942 = 'X9.42 DH PARAMETERS'

/** DomainParameters ::= SEQUENCE { p INTEGER, g INTEGER, q INTEGER, j INTEGER OPTIONAL, ... } (RFC 3279, section 2.3.3). */
function readX942Group(pem: string): Group | null {
  const der = derOf(pem)
  try {
    const fields = childrenOf(der, assertDer(der)).slice(0, 3)
    const [prime, generator, order] = fields.map((node) => naturalOf(der, node))
    if (prime === undefined || generator === undefined || order === undefined) return null
    return { prime, generator, order, privateBits: null }
  } catch {
    return null
  }
}

/** DHParameter ::= SEQUENCE { prime INTEGER, base INTEGER, privateValueLength INTEGER OPTIONAL } (PKCS #3). */
function readGroup(pem: string): Group | null {
  const der = derOf(pem)
  try {
    const [prime, generator, privateBits = null] = childrenOf(der, assertDer(der)).map((node) =>
      naturalOf(der, node),
    )
    return prime === undefined || generator === undefined
      ? null
      : { prime, generator, privateBits, order: null }
  } catch {
    return null
  }
}

/** Groups already tested in this thread, by PEM: a renewal usually keeps the group. */
const safe = new Set<string>()
const MAX_SAFE = 16

function flawOf({ prime, generator, privateBits, order }: Group, pem: string): string | null {
  if (generator < 2n || generator > prime - 2n) return 'the generator is not between 2 and p - 2'
  if (privateBits !== null && (privateBits < MIN_PRIVATE_BITS || privateBits > bitsOf(prime))) {
    // Without the number, which may have a hundred thousand digits.
    return `their length of private values is not from ${MIN_PRIVATE_BITS} to ${bitsOf(prime)} bits`
  }
  if (safe.has(pem)) return null
  if (order !== null) {
    // A short order makes the discrete logarithm easy; a wrong one defeats OpenSSL's check of the client's key.
    if (bitsOf(order) < MIN_PRIVATE_BITS)
      return `the order of their generator has fewer than ${MIN_PRIVATE_BITS} bits`
    if (!isPrimeOrderGroup(prime, order, generator)) return 'they are not a group of prime order'
  } else if (!isSafePrime(prime)) return 'the modulus is not a safe prime'
  if (safe.size === MAX_SAFE) safe.clear()
  safe.add(pem)
  return null
}

function bitsOf(number: bigint): number {
  return number.toString(2).length
}
