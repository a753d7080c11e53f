import { createDecipheriv } from 'node:crypto'

/** A cipher of passphrase-based encryption, with its sizes in bytes. */
export interface Cipher {
  /** OpenSSL's name. */
  readonly name: string
  readonly keyBytes: number
  /** 0 for a cipher without an initialisation vector. */
  readonly ivBytes: number
}

/** A scheme that combines a cipher and a key derivation (PKCS#5, PBES1; RFC 7292, appendix C). */
export interface Pbe {
  readonly cipher: Cipher
  /** PKCS#12 derivation, or PBKDF1 with this digest (RFC 8018, section 5.1). */
  readonly kdf: 'pkcs12' | 'md5' | 'sha1'
}

/**
 * Why this Node cannot decrypt with a cipher; `null` if it can. Tested at run time, because Node can be started with
 * OpenSSL's legacy provider or another OpenSSL.
 */
export function whyNotAvailable({ name, keyBytes, ivBytes }: Cipher): 'legacy' | 'unknown' | null {
  try {
    // Not zeros: OpenSSL's FIPS provider refuses triple DES with equal keys.
    createDecipheriv(
      name,
      Uint8Array.from({ length: keyBytes }, (_, i) => i),
      ivBytes === 0 ? null : Buffer.alloc(ivBytes),
    )
    return null
  } catch {
    return LEGACY.test(name) ? 'legacy' : 'unknown'
  }
}

/** Ciphers of OpenSSL's legacy provider (OSSL_PROVIDER-legacy(7)). */
const LEGACY = /^(?:rc2|rc4|des-(?:ecb|cbc|cfb|ofb)|bf|cast5|seed|idea)/

const DES: Cipher = { name: 'des-cbc', keyBytes: 8, ivBytes: 8 }
const RC2_64: Cipher = { name: 'rc2-64-cbc', keyBytes: 8, ivBytes: 8 }

/** Schemes by object identifier. MD2 is missing: no current OpenSSL has it. */
export const PBE_SCHEMES: Readonly<Record<string, Pbe>> = {
  '1.2.840.113549.1.5.3': { cipher: DES, kdf: 'md5' },
  '1.2.840.113549.1.5.6': { cipher: RC2_64, kdf: 'md5' },
  '1.2.840.113549.1.5.10': { cipher: DES, kdf: 'sha1' },
  '1.2.840.113549.1.5.11': { cipher: RC2_64, kdf: 'sha1' },
  '1.2.840.113549.1.12.1.1': { cipher: { name: 'rc4', keyBytes: 16, ivBytes: 0 }, kdf: 'pkcs12' },
  '1.2.840.113549.1.12.1.2': { cipher: { name: 'rc4-40', keyBytes: 5, ivBytes: 0 }, kdf: 'pkcs12' },
  '1.2.840.113549.1.12.1.3': { cipher: { name: 'des-ede3-cbc', keyBytes: 24, ivBytes: 8 }, kdf: 'pkcs12' },
  '1.2.840.113549.1.12.1.4': { cipher: { name: 'des-ede-cbc', keyBytes: 16, ivBytes: 8 }, kdf: 'pkcs12' },
  '1.2.840.113549.1.12.1.5': { cipher: { name: 'rc2-cbc', keyBytes: 16, ivBytes: 8 }, kdf: 'pkcs12' },
  '1.2.840.113549.1.12.1.6': { cipher: { name: 'rc2-40-cbc', keyBytes: 5, ivBytes: 8 }, kdf: 'pkcs12' },
}

/** PBES2 ciphers whose only parameter is the initialisation vector, by object identifier. */
export const PBES2_CIPHERS: Readonly<Record<string, Cipher>> = Object.fromEntries([
  ...family('aes', '2.16.840.1.101.3.4.1', [0, 20, 40], { ecb: 1, cbc: 2, ofb: 3, cfb: 4 }),
  ...family('aria', '1.2.410.200046.1.1', [0, 5, 10], { ecb: 1, cbc: 2, cfb: 3, ofb: 4, ctr: 5 }),
  ...family('camellia', '0.3.4401.5.3.1.9', [0, 20, 40], { ecb: 1, ofb: 3, cfb: 4, ctr: 9 }),
  ...family('camellia', '1.2.392.200011.61.1.1.1', [0, 1, 2], { cbc: 2 }),
  ...modes('sm4', '1.2.156.10197.1.104', 0, 16, 16, { ecb: 1, cbc: 2, ofb: 3, cfb: 4, ctr: 7 }),
  ...modes('seed', '1.2.410.200004.1', 0, 16, 16, { ecb: 3, cbc: 4, cfb: 5, ofb: 6 }),
  ...modes('des', '1.3.14.3.2', 0, 8, 8, { ecb: 6, cbc: 7, ofb: 8, cfb: 9 }),
  ['1.3.14.3.2.17', { name: 'des-ede', keyBytes: 16, ivBytes: 0 }],
  ['1.2.840.113549.3.7', { name: 'des-ede3-cbc', keyBytes: 24, ivBytes: 8 }],
  ['1.3.6.1.4.1.3029.1.2', { name: 'bf-cbc', keyBytes: 16, ivBytes: 8 }],
  ['1.2.840.113549.3.4', { name: 'rc4', keyBytes: 16, ivBytes: 0 }],
])

/** RC2-CBC-Parameter ::= SEQUENCE { rc2ParameterVersion INTEGER, iv OCTET STRING } (RFC 8018, appendix B.2.3). */
export const RC2_CBC = '1.2.840.113549.3.2'

/** Keyed by `rc2ParameterVersion`, which encodes the effective key bits. */
export const RC2_VERSIONS: Readonly<Record<number, Cipher>> = {
  160: { name: 'rc2-40-cbc', keyBytes: 5, ivBytes: 8 },
  120: RC2_64,
  58: { name: 'rc2-cbc', keyBytes: 16, ivBytes: 8 },
}

/** CAST5-CBC-Parameters; OpenSSL writes only the initialisation vector and ignores the length. */
export const CAST5_CBC = '1.2.840.113533.7.66.10'
export const CAST5: Cipher = { name: 'cast5-cbc', keyBytes: 16, ivBytes: 8 }

type Entry = readonly [string, Cipher]

/** A cipher with 16-byte blocks and keys of 128, 192 and 256 bits, whose arcs begin at these numbers. */
function family(
  name: string,
  arc: string,
  [at128, at192, at256]: readonly [number, number, number],
  arcs: Readonly<Record<string, number>>,
): Entry[] {
  return [
    ...modes(`${name}-128`, arc, at128, 16, 16, arcs),
    ...modes(`${name}-192`, arc, at192, 24, 16, arcs),
    ...modes(`${name}-256`, arc, at256, 32, 16, arcs),
  ]
}

function modes(
  name: string,
  arc: string,
  from: number,
  keyBytes: number,
  blockBytes: number,
  arcs: Readonly<Record<string, number>>,
): Entry[] {
  return Object.entries(arcs).map(([mode, last]) => [
    `${arc}.${from + last}`,
    { name: `${name}-${mode}`, keyBytes, ivBytes: mode === 'ecb' ? 0 : blockBytes },
  ])
}
