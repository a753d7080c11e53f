import { createHash, randomBytes } from 'node:crypto'

/**
 * SHA-256 of well-known primes: the groups of RFC 3526 (modp1536 to modp8192) and RFC 7919 (ffdhe2048 to ffdhe8192).
 * Testing a prime of 8,192 bits takes seconds.
 */
const KNOWN = new Set([
  '64fcc83ec403930bf18393dbc883ccaa1fbb08ac876f77f7aa99748ca945019b', // modp1536
  'd66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e', // modp2048
  '48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c', // modp3072
  '4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33', // modp4096
  'd1bfe6d0925ce7e4da262b62861514a7755e35831e429f343e7b864848657efd', // modp6144
  '39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf', // modp8192
  '9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966', // ffdhe2048
  '0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17', // ffdhe3072
  '4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e', // ffdhe4096
  '227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7', // ffdhe6144
  '770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833', // ffdhe8192
])

/** Rules out numbers with a small factor at once. */
const SMALL_PRIMES = [
  3n,
  5n,
  7n,
  11n,
  13n,
  17n,
  19n,
  23n,
  29n,
  31n,
  37n,
  41n,
  43n,
  47n,
  53n,
  59n,
  61n,
  67n,
  71n,
  73n,
]

/**
 * Whether `p` and `(p - 1) / 2` are primes, beyond reasonable doubt: Miller-Rabin with random bases, each of which
 * passes at most one composite in four. OpenSSL runs at least 64 rounds, which take 30 s for 8,192 bits
 * (`BN_check_prime`).
 */
export function isSafePrime(p: bigint): boolean {
  const hex = p.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  if (KNOWN.has(createHash('sha256').update(bytes).digest('hex'))) return true
  if (p < 7n || p % 4n !== 3n) return false
  const q = p >> 1n
  if (SMALL_PRIMES.some((prime) => (p % prime === 0n && p !== prime) || (q % prime === 0n && q !== prime)))
    return false
  if (!isProbablyPrime(q)) return false
  // With a prime q, 2^(p-1) = 1 and 2^2 != 1 prove p prime (Pocklington).
  return power(2n, p - 1n, p) === 1n
}

/**
 * Whether `q` and `p` are primes, beyond reasonable doubt, and `g` generates the group of order `q` (X9.42; RFC 2631,
 * section 2.2).
 */
export function isPrimeOrderGroup(p: bigint, q: bigint, g: bigint): boolean {
  if (q < 3n || q % 2n === 0n || p % 2n === 0n || (p - 1n) % q !== 0n) return false
  if (SMALL_PRIMES.some((prime) => p % prime === 0n || q % prime === 0n)) return false
  const arePrimes = p === 2n * q + 1n ? isSafePrime(p) : isProbablyPrime(q) && isProbablyPrime(p)
  return arePrimes && power(g, q, p) === 1n
}

/** A round takes a second for 8,192 bits, and the larger a number is, the fewer composites of its size pass a round. */
function isProbablyPrime(n: bigint): boolean {
  const bits = n.toString(16).length * 4
  const rounds = bits > 4096 ? 1 : bits > 2048 ? 4 : 8
  for (let round = 0; round < rounds; round++) if (!passes(n, randomBase())) return false
  return true
}

/** Miller-Rabin for an odd number and one base. */
function passes(n: bigint, base: bigint): boolean {
  let odd = n - 1n
  let twos = 0
  while (odd % 2n === 0n) {
    odd >>= 1n
    twos++
  }
  let x = power(base, odd, n)
  if (x === 1n || x === n - 1n) return true
  for (let i = 1; i < twos; i++) {
    x = (x * x) % n
    if (x === n - 1n) return true
  }
  return false
}

/** 48 bits: as good as any size, and faster to multiply. */
function randomBase(): bigint {
  return 2n + BigInt(randomBytes(6).readUIntBE(0, 6))
}

/** `base` raised to `exponent`, modulo `modulus`. */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus
    if (bit === '1') result = (result * base) % modulus
  }
  return result
}
