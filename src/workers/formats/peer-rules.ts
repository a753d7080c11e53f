import { UNPRINTABLE } from '../base/printable.js'
import { asciiDomain } from './certificate-name.js'

/*
 * Rules about the peers that may connect (the option `peers`). A rule has a normal form of one line, its kind and its value:
 * `uri spiffe://example.org/web`, `dns *.example.org`, `cn client 7`, `spki 0a1b...`. Rules are compared, counted and sent to
 * other threads in that form.
 */

/** One rule: the certificate of a peer must have this name or this key. */
export type PeerRule =
  | { readonly uri: string }
  | { readonly dns: string }
  | { readonly cn: string }
  | { readonly spki: string }

type PeerRuleKind = 'uri' | 'dns' | 'cn' | 'spki'

/** The normal form of a rule, or what was expected instead. */
export type ReadRule = { readonly rule: string } | { readonly expected: string }

/** Reads one rule of any origin: nothing about its type is known. */
export function peerRuleIn(given: unknown): ReadRule {
  const entries = typeof given === 'object' && given !== null ? Object.entries(given) : []
  const [kind, value] = entries[0] ?? []
  if (entries.length !== 1 || !isKind(kind) || typeof value !== 'string') return { expected: ONE_OF }
  const read = READERS[kind](value)
  return 'rule' in read ? { rule: `${kind} ${read.rule}` } : read
}

/** The rule of a normal form. */
export function peerRuleOf(text: string): PeerRule {
  const space = text.indexOf(' ')
  return { [text.slice(0, space)]: text.slice(space + 1) } as unknown as PeerRule
}

const ONE_OF = 'expected exactly one of `uri`, `dns`, `cn` and `spki`, with a string'

/** Maximum number of rules. */
export const MAX_RULES = 100_000

/** Maximum length of a value. The specification of SPIFFE IDs, section 2.3, has the longest. */
const MAX_VALUE = 2048

const READERS: Readonly<Record<PeerRuleKind, (value: string) => ReadRule>> = {
  uri: readUri,
  dns: readDns,
  cn: readCommonName,
  spki: readKey,
}

function isKind(kind: string | undefined): kind is PeerRuleKind {
  return kind !== undefined && Object.hasOwn(READERS, kind)
}

/** A scheme, then printable ASCII without spaces and `*`. */
const URI = /^[a-z][a-z0-9+.-]*:[!-)+-~]+$/i
/** `*` as a whole segment of a path, never in the place of the authority. */
const PATH_WILDCARD = /^[^:/?#]+:(?:\/\/[^/?#]+\/|\/(?!\/))(?:[^?#]*\/)?\*$/

function readUri(value: string): ReadRule {
  const fixed = PATH_WILDCARD.test(value) ? value.slice(0, -1) : value
  if (value.length > MAX_VALUE || !URI.test(fixed)) return { expected: URI_EXPECTED }
  return { rule: value }
}

const URI_EXPECTED = `expected a URI of printable ASCII, at most ${MAX_VALUE} characters; \`*\` may only be its last path segment, as in \`spiffe://example.org/web/*\``

const DNS = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/
/** RFC 1035, section 2.3.4. */
const MAX_DNS = 253

function readDns(value: string): ReadRule {
  const name = asciiDomain(value)
  if (name === null || name.length > MAX_DNS || !DNS.test(name)) return { expected: DNS_EXPECTED }
  return { rule: name }
}

const DNS_EXPECTED =
  'expected a DNS name without a trailing dot; `*` may only be its first label, as in `*.example.org`'

/** Every longer one would be refused by its CA: RFC 5280, appendix A.1, has a limit of 64. */
const MAX_COMMON_NAME = 256

function readCommonName(value: string): ReadRule {
  // `search` ignores the state of the global pattern.
  const isPrintable = value.search(UNPRINTABLE) === -1
  if (value === '' || value.length > MAX_COMMON_NAME || !isPrintable || value.includes('*'))
    return { expected: COMMON_NAME_EXPECTED }
  return { rule: value }
}

const COMMON_NAME_EXPECTED = `expected a common name of 1 to ${MAX_COMMON_NAME} printable characters without \`*\``

const HEX = /^[0-9a-f]{64}$/i
const BASE64 = /^[A-Za-z0-9+/]{43}=$/

/** As OpenSSL prints digests, with or without colons, or in base64 as in RFC 7469. */
function readKey(value: string): ReadRule {
  const digest = value.replace(/^sha256[:/]/i, '')
  const hex = digest.replaceAll(':', '')
  if (HEX.test(hex)) return { rule: hex.toLowerCase() }
  if (BASE64.test(digest)) return { rule: Buffer.from(digest, 'base64').toString('hex') }
  return { expected: KEY_EXPECTED }
}

const KEY_EXPECTED =
  'expected the SHA-256 of a public key (SubjectPublicKeyInfo as DER): 64 hexadecimal digits, or base64'
