import { createCipheriv, pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto'

import { integer, nothing, octets, oid, sequence } from './der.js'

export type EncryptionOptions =
  | { readonly kdf?: 'pbkdf2' | undefined; readonly iterations?: number | undefined }
  /** `cost` is N; 16384 is the largest that OpenSSL accepts by default. */
  | { readonly kdf: 'scrypt'; readonly cost?: number | undefined }

export interface Encrypted {
  /** The AlgorithmIdentifier for decryption. */
  readonly algorithm: Buffer
  readonly data: Buffer
}

/** PBES2 with AES-256-CBC, as written by OpenSSL 3 for `-aes256` and for PKCS#12, with the given cost. */
export function encrypt(plain: Uint8Array, passphrase: string, options: EncryptionOptions = {}): Encrypted {
  const salt = randomBytes(16)
  const iv = randomBytes(16)
  const { key, kdf } =
    options.kdf === 'scrypt'
      ? scrypt(passphrase, salt, options.cost)
      : pbkdf2(passphrase, salt, options.iterations)
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const scheme = sequence(oid('2.16.840.1.101.3.4.1.42'), octets(iv))
  return {
    algorithm: sequence(oid('1.2.840.113549.1.5.13'), sequence(kdf, scheme)),
    data: Buffer.concat([cipher.update(plain), cipher.final()]),
  }
}

interface DerivedKey {
  readonly key: Buffer
  readonly kdf: Buffer
}

function pbkdf2(passphrase: string, salt: Buffer, iterations = 2048): DerivedKey {
  const hmacSha256 = sequence(oid('1.2.840.113549.2.9'), nothing())
  return {
    key: pbkdf2Sync(passphrase, salt, iterations, 32, 'sha256'),
    kdf: sequence(oid('1.2.840.113549.1.5.12'), sequence(octets(salt), integer(iterations), hmacSha256)),
  }
}

function scrypt(passphrase: string, salt: Buffer, cost = 16_384): DerivedKey {
  const [blockSize, parallelization] = [8, 1]
  return {
    key: scryptSync(passphrase, salt, 32, {
      cost,
      blockSize,
      parallelization,
      maxmem: 256 * cost * blockSize,
    }),
    kdf: sequence(
      oid('1.3.6.1.4.1.11591.4.11'),
      sequence(octets(salt), integer(cost), integer(blockSize), integer(parallelization)),
    ),
  }
}
