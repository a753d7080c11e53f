import { isGood, type NodeVerdict } from './node-verdict.js'
import type { PairCase } from './pair-cases.js'

/** The verdict of PREPARE on a pair. */
export interface OwnVerdict {
  readonly isAccepted: boolean
  /** Codes of the problems, or of the warnings if it is accepted. */
  readonly codes: readonly string[]
}

/** Why certswap refuses a pair that Node and its clients accept (`stricter`), or accepts one that they refuse (`looser`). */
export interface Disagreement {
  readonly side: 'stricter' | 'looser'
  readonly reason: string
  /** Difference from the usual pair in a case with this disagreement. */
  readonly example: Partial<PairCase>
  /** `false` if Node and certswap agree about the example on this version of Node. @defaultValue true */
  readonly isHere?: boolean
  explains(one: PairCase, node: NodeVerdict, own: OwnVerdict): boolean
}

const major = Number(process.versions.node.split('.')[0])

/** Every disagreement between certswap and Node about a pair. */
export const DISAGREEMENTS: readonly Disagreement[] = [
  {
    side: 'stricter',
    reason: 'an RSA key of 1,024 bits: clients at security level 2 (Node 24 and later, browsers) refuse it',
    example: { key: 'RSA 1024' },
    isHere: major < 24,
    explains: ({ key }, _, { codes }) => key === 'RSA 1024' && codes.includes('KEY_TOO_WEAK'),
  },
  {
    side: 'stricter',
    reason: 'a CA in place of a server certificate: its key should only sign certificates',
    example: { constraints: 'CA', usage: 'none' },
    explains: ({ constraints }, _, { codes }) => constraints === 'CA' && codes.includes('CERT_IS_CA'),
  },
  {
    side: 'stricter',
    reason:
      'a CA with explicit curve parameters, among the trust anchors: OpenSSL refuses the certificates that it issued',
    example: { key: 'explicit P-256', issuer: 'itself', constraints: 'CA', usage: 'none' },
    explains: ({ key, issuer, constraints }, _, { codes }) =>
      key === 'explicit P-256' &&
      issuer === 'itself' &&
      constraints === 'CA' &&
      codes.includes('KEY_UNSUPPORTED'),
  },
  {
    side: 'stricter',
    reason:
      'an RSA key whose usage lacks digitalSignature: OpenSSL lets it serve, GnuTLS and BoringSSL refuse it',
    example: { key: 'RSA 2048', usage: 'keyEncipherment' },
    explains: ({ key, usage }, _, { codes }) =>
      key.startsWith('RSA') && /^key/.test(usage) && codes.includes('CERT_PURPOSE'),
  },
  {
    side: 'looser',
    reason: 'a certificate of another host: only `policy.requiredNames` defines which names clients request',
    example: { names: 'another host' },
    explains: ({ names }, { client }) => names === 'another host' && client === 'another name',
  },
  {
    side: 'looser',
    reason:
      'several keys in a file: Node takes the first, certswap takes the one that matches the certificate',
    example: { keyForm: 'another key before it' },
    explains: ({ keyForm }, node) =>
      / key before it$/.test(keyForm) && (node.load !== 'ok' || node.client === '-'),
  },
  {
    side: 'looser',
    reason: 'a leaf whose issuer is not in the file: a warning unless `policy.incompleteChain` refuses it',
    example: { chain: 'leaf alone' },
    explains: ({ chain }, { client }, { codes }) =>
      chain === 'leaf alone' && /UNABLE_TO_/.test(client) && codes.includes('CHAIN_INCOMPLETE'),
  },
  {
    side: 'looser',
    reason: 'issuers that are labelled TRUSTED CERTIFICATE: Node ignores them, certswap serves them',
    example: { certForm: 'trusted label' },
    explains: ({ certForm }, { client }) => certForm === 'trusted label' && /UNABLE_TO_/.test(client),
  },
  {
    side: 'looser',
    reason: 'PKCS#12 without a MAC although a passphrase is set: OpenSSL 3.0 does not load it',
    example: { container: 'PKCS12 without encryption' },
    isHere: major < 22,
    explains: ({ container }, { load }) => container === 'PKCS12 without encryption' && load !== 'ok',
  },
]

/** The reason of a disagreement; `agreed` if there is none, `null` if it is not in the list. */
export function explanationOf(one: PairCase, node: NodeVerdict, own: OwnVerdict): string | null {
  if (isGood(node) === own.isAccepted) return 'agreed'
  const side = own.isAccepted ? 'looser' : 'stricter'
  const found = DISAGREEMENTS.find((entry) => entry.side === side && entry.explains(one, node, own))
  return found ? `${side}: ${found.reason}` : null
}
