import { hash } from 'node:crypto'

/*
 * Fast hash iteration. PKCS#12 key derivation hashes one short block repeatedly, 600,000 times in files from GnuTLS.
 * Calling Node's `hash` each round takes 1.5 to 3.5 µs, a tenth of it for the hash. SHA-1 and SHA-256 of one block in
 * JavaScript take 0.3 to 0.5 µs.
 */

/** Hashes `first`, then the digest, for `rounds` rounds in total. */
export function hashRounds(digest: string, first: Uint8Array, rounds: number): Buffer {
  let block: Buffer = hash(digest, first, 'buffer')
  const compress = COMPRESSIONS[digest]
  if (compress === undefined) {
    for (let round = 1; round < rounds; round++) block = hash(digest, block, 'buffer')
    return block
  }
  const words = block.length / 4
  const state = new Int32Array(words)
  const schedule = new Int32Array(80)
  for (let i = 0; i < words; i++) state[i] = block.readInt32BE(i * 4)
  for (let round = 1; round < rounds; round++) {
    // One block: the digest, the end bit, and the length in bits (FIPS 180-4, section 5.1.1).
    schedule.fill(0, words, 15)
    schedule.set(state)
    schedule[words] = -0x8000_0000
    schedule[15] = words * 32
    compress(schedule, state)
  }
  for (let i = 0; i < words; i++) block.writeInt32BE(state[i] as number, i * 4)
  state.fill(0)
  schedule.fill(0)
  return block
}

/** Whether {@link hashRounds} has a fast loop for a digest. */
export function hasFastRounds(digest: string): boolean {
  return Object.hasOwn(COMPRESSIONS, digest)
}

/** Computes the digest of the block in the first 16 words of `w`. */
type Compression = (w: Int32Array, digest: Int32Array) => void

const COMPRESSIONS: Readonly<Record<string, Compression>> = { sha1, sha256 }

/** FIPS 180-4, section 6.1.2. */
function sha1(w: Int32Array, digest: Int32Array): void {
  for (let i = 16; i < 80; i++) {
    const x = (w[i - 3] as number) ^ (w[i - 8] as number) ^ (w[i - 14] as number) ^ (w[i - 16] as number)
    w[i] = (x << 1) | (x >>> 31)
  }
  let a = 0x6745_2301
  let b = 0xefcd_ab89 | 0
  let c = 0x98ba_dcfe | 0
  let d = 0x1032_5476
  let e = 0xc3d2_e1f0 | 0
  // Four loops: a single loop with branches takes half as long again.
  for (let i = 0; i < 20; i++) {
    const next = (((a << 5) | (a >>> 27)) + ((b & c) | (~b & d)) + e + 0x5a82_7999 + (w[i] as number)) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  for (let i = 20; i < 40; i++) {
    const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0x6ed9_eba1 + (w[i] as number)) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  for (let i = 40; i < 60; i++) {
    const next =
      (((a << 5) | (a >>> 27)) + ((b & c) | (b & d) | (c & d)) + e + 0x8f1b_bcdc + (w[i] as number)) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  for (let i = 60; i < 80; i++) {
    const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0xca62_c1d6 + (w[i] as number)) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  digest[0] = a + 0x6745_2301
  digest[1] = b + 0xefcd_ab89
  digest[2] = c + 0x98ba_dcfe
  digest[3] = d + 0x1032_5476
  digest[4] = e + 0xc3d2_e1f0
}

/** FIPS 180-4, section 6.2.2. */
function sha256(w: Int32Array, digest: Int32Array): void {
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] as number
    const y = w[i - 2] as number
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[i] = (w[i - 16] as number) + s0 + (w[i - 7] as number) + s1
  }
  let a = H0[0] as number
  let b = H0[1] as number
  let c = H0[2] as number
  let d = H0[3] as number
  let e = H0[4] as number
  let f = H0[5] as number
  let g = H0[6] as number
  let h = H0[7] as number
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (K[i] as number) + (w[i] as number)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  digest[0] = a + (H0[0] as number)
  digest[1] = b + (H0[1] as number)
  digest[2] = c + (H0[2] as number)
  digest[3] = d + (H0[3] as number)
  digest[4] = e + (H0[4] as number)
  digest[5] = f + (H0[5] as number)
  digest[6] = g + (H0[6] as number)
  digest[7] = h + (H0[7] as number)
}

const PRIMES = firstPrimes(64)
/** The first 32 bits of the fractional parts of the square and cube roots of primes (FIPS 180-4, sections 4.2.2 and 5.3.3). */
const H0 = new Int32Array(PRIMES.slice(0, 8).map((prime) => rootBits(prime, 2n)))
const K = new Int32Array(PRIMES.map((prime) => rootBits(prime, 3n)))

function firstPrimes(count: number): bigint[] {
  const primes: bigint[] = []
  for (let n = 2n; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0n)) primes.push(n)
  return primes
}

/** The low 32 bits of the root of `n` with 32 fractional bits. */
function rootBits(n: bigint, degree: bigint): number {
  const target = n << (32n * degree)
  let low = 0n
  let high = n << 32n
  while (low < high) {
    const middle = (low + high + 1n) >> 1n
    if (middle ** degree <= target) low = middle
    else high = middle - 1n
  }
  return Number(BigInt.asIntN(32, low))
}
