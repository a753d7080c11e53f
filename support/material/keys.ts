import type { KeyObject } from 'node:crypto'
import { constants, generateKeyPairSync, sign } from 'node:crypto'

import { constructed, integer, nothing, oid, sequence } from './der.js'

export type KeyType = 'ec' | 'ec-p384' | 'rsa-1024' | 'rsa-2048' | 'rsa-4096' | 'rsa-pss' | 'ed25519'
export type SignatureHash = 'sha1' | 'sha256' | 'sha384' | 'sha512'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** A signature algorithm: its identifier in certificates, and the function that signs. */
export interface Signer {
  readonly algorithm: Buffer
  sign(data: Uint8Array): Buffer
}

/**
 * A key pair that differs from the previous one. Elliptic-curve pairs are always new; generating an RSA pair can take a
 * second, so these come from a pool of two per size, in turn.
 */
export function keyPair(type: KeyType = 'ec'): KeyPair {
  if (!type.startsWith('rsa')) return generate(type)
  const pool = pools.get(type) ?? []
  pools.set(type, pool)
  const reused = pool.length < poolSize ? undefined : pool.shift()
  const pair = reused ?? generate(type)
  pool.push(pair)
  return pair
}

/** The signer of certificates for this key. */
export function signerOf(key: KeyObject, hash: SignatureHash = 'sha256'): Signer {
  switch (key.asymmetricKeyType) {
    case 'ec':
      return { algorithm: sequence(oid(ecdsaOids[hash])), sign: (data) => sign(hash, data, key) }
    case 'rsa':
      return { algorithm: sequence(oid(rsaOids[hash]), nothing()), sign: (data) => sign(hash, data, key) }
    case 'rsa-pss':
      return pssSigner(key, hash)
    case 'ed25519':
      return { algorithm: sequence(oid('1.3.101.112')), sign: (data) => sign(null, data, key) }
    default:
      throw new TypeError(
        `expected a key that can sign certificates, got ${key.asymmetricKeyType ?? 'a secret key'}`,
      )
  }
}

const poolSize = 2
const pools = new Map<KeyType, KeyPair[]>()

const ecdsaOids: Record<SignatureHash, string> = {
  sha1: '1.2.840.10045.4.1',
  sha256: '1.2.840.10045.4.3.2',
  sha384: '1.2.840.10045.4.3.3',
  sha512: '1.2.840.10045.4.3.4',
}
const rsaOids: Record<SignatureHash, string> = {
  sha1: '1.2.840.113549.1.1.5',
  sha256: '1.2.840.113549.1.1.11',
  sha384: '1.2.840.113549.1.1.12',
  sha512: '1.2.840.113549.1.1.13',
}
const hashOids: Record<SignatureHash | 'md5', string> = {
  md5: '1.2.840.113549.2.5',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
}
const hashBytes: Record<SignatureHash | 'md5', number> = {
  md5: 16,
  sha1: 20,
  sha256: 32,
  sha384: 48,
  sha512: 64,
}

function generate(type: KeyType): KeyPair {
  switch (type) {
    case 'ec':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'ec-p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' })
    case 'rsa-1024':
      return generateKeyPairSync('rsa', { modulusLength: 1024 })
    case 'rsa-2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'rsa-4096':
      return generateKeyPairSync('rsa', { modulusLength: 4096 })
    case 'rsa-pss':
      return generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
    case 'ed25519':
      return generateKeyPairSync('ed25519')
  }
}

/** RSASSA-PSS, with a salt as long as the digest. */
export function pssSigner(key: KeyObject, hash: SignatureHash | 'md5'): Signer {
  const saltLength = hashBytes[hash]
  const digest = sequence(oid(hashOids[hash]), nothing())
  const parameters = sequence(
    constructed(0, digest),
    constructed(1, sequence(oid('1.2.840.113549.1.1.8'), digest)),
    constructed(2, integer(saltLength)),
  )
  return {
    algorithm: sequence(oid('1.2.840.113549.1.1.10'), parameters),
    sign: (data) => sign(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }),
  }
}
