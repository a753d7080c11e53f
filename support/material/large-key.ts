import { createPrivateKey, createPublicKey, generatePrimeSync, getDiffieHellman } from 'node:crypto'

import type { KeyPair } from './keys.js'

/** An RSA key of 8,704 bits. One prime is that of a well-known group, because generating it would take minutes. */
export function largeKey(): KeyPair {
  const p = BigInt(`0x${getDiffieHellman('modp18').getPrime('hex')}`)
  const q = generatePrimeSync(512, { bigint: true })
  const e = 65_537n
  const phi = (p - 1n) * (q - 1n)
  let k = 1n
  while ((1n + k * phi) % e !== 0n) k++
  const d = (1n + k * phi) / e
  const [n, dp, dq, qi] = [p * q, d % (p - 1n), d % (q - 1n), inverse(q, p)]
  const fields = Object.entries({ n, e, d, p, q, dp, dq, qi }).map(([name, value]) => [
    name,
    base64url(value),
  ])
  const privateKey = createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(fields) }, format: 'jwk' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

function inverse(of: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [of % modulus, modulus, 1n, 0n]
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y]
  return ((x % modulus) + modulus) % modulus
}

function base64url(value: bigint): string {
  const hex = value.toString(16)
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url')
}
