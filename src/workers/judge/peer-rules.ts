import { type PeerNames, peerNamesOf } from '../formats/peer-names.js'

/** Bytes of rules that are added to the table in one piece, and rules that are compared in one: about 0.1 ms. */
const PIECE_BYTES = 8_192
const PIECE_RULES = 200
const NEWLINE = 10

/**
 * The rules about peers of one trust. Each kind of name is one lookup, so 10,000 rules cost a handshake as much as one.
 */
export class PeerRules {
  readonly #rules = new Set<string>()

  /** Builds the tables in pieces, for the main thread. @param packed see {@link packRules} */
  static *build(packed: Uint8Array): Generator<void, PeerRules, void> {
    const rules = new PeerRules()
    const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
    for (let from = 0; from < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, from + PIECE_BYTES)
      const to = newline === -1 ? bytes.length : newline
      for (const text of bytes.toString('utf8', from, to).split('\n')) rules.#rules.add(text)
      from = to + 1
      yield
    }
    return rules
  }

  static of(packed: Uint8Array): PeerRules {
    const build = PeerRules.build(packed)
    for (;;) {
      const { done, value } = build.next()
      if (done) return value
    }
  }

  get size(): number {
    return this.#rules.size
  }

  /** Finds, in pieces, whether every peer that the other rules admit is admitted by these, as far as the texts show. */
  *comparison(others: PeerRules): Generator<void, boolean, void> {
    let compared = 0
    for (const rule of others.#rules) {
      if (!this.#rules.has(rule)) return false
      if (++compared % PIECE_RULES === 0) yield
    }
    return true
  }

  /** The normal form of the first rule that names the peer; `null` if none does. */
  ruleFor(names: PeerNames): string | null {
    for (const candidate of candidatesFor(names)) if (this.#rules.has(candidate)) return candidate
    return null
  }

  /** Whether a rule names the peer. `false` if its certificate cannot be read. @param leaf DER */
  admits(leaf: Uint8Array): boolean {
    try {
      return this.ruleFor(peerNamesOf(leaf)) !== null
    } catch {
      return false
    }
  }
}

/** One rule in each line, sorted, so that equal rules have equal bytes. */
export function packRules(rules: readonly string[]): string {
  return [...new Set(rules)].sort().join('\n')
}

export function unpackRules(packed: Uint8Array): string[] {
  return Buffer.from(packed).toString().split('\n')
}

/** Every rule that would name the peer. */
function* candidatesFor({ uris, dns, commonName, spki }: PeerNames): Generator<string, void, void> {
  yield `spki ${spki}`
  for (const uri of uris) {
    // An X.509-SVID has exactly one URI (X509-SVID specification, section 2): several do not say which identity is meant.
    if (uris.length > 1 && SPIFFE.test(uri)) continue
    if (!uri.includes('*')) yield `uri ${uri}`
    const [, parent, segment] = LAST_SEGMENT.exec(uri) ?? []
    if (segment !== undefined && segment !== '.' && segment !== '..') yield `uri ${parent}/*`
  }
  for (const name of dns) {
    // A wildcard in a certificate names many hosts, and therefore no peer.
    if (!HOST_NAME.test(name)) continue
    yield `dns ${name}`
    const dot = name.indexOf('.')
    if (dot !== -1) yield `dns *${name.slice(dot)}`
  }
  if (commonName !== null) yield `cn ${commonName}`
}

const SPIFFE = /^spiffe:/i
/** The last segment of a path, without escapes, query and fragment. */
const LAST_SEGMENT = /^([^?#*]+)\/([\w.~!$&'()+,;=:@-]+)$/
const HOST_NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/
