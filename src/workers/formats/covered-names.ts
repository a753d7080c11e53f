import type { X509Certificate } from 'node:crypto'

import { alternativeNamesOf } from './alternative-names.js'
import { type CertificateName, comparableName, parseName } from './certificate-name.js'

/**
 * The names that a certificate covers, indexed for many lookups. A certificate may hold thousands of names, and each
 * call of `checkHost` reads all of them: comparing 1,500 names with 1,500 others takes seconds.
 *
 * A name is covered only by names of the same kind. Hosts and addresses follow OpenSSL's `X509_check_host` (`checkHost`
 * with `subject: 'never'`) and `X509_check_ip`, with one difference: a name with a leading dot is an ordinary name and
 * does not match all names below it. All other names are compared for equality.
 */
export class CoveredNames {
  /** Kind and {@link comparableName}. */
  readonly #names: ReadonlySet<string>
  /** Keyed by the part of the name after its first label. */
  readonly #wildcards = new Map<string, Wildcard[]>()

  /** @throws RangeError see {@link alternativeNamesOf} */
  constructor(leaf: X509Certificate) {
    const { names } = alternativeNamesOf(leaf)
    this.#names = new Set(names.map(keyOf))
    for (const { kind, value } of names) {
      const wildcard = kind === 'DNS' ? wildcardIn(value) : null
      if (wildcard === null) continue
      const others = this.#wildcards.get(wildcard.parent)
      if (others) others.push(wildcard)
      else this.#wildcards.set(wildcard.parent, [wildcard])
    }
  }

  /** Whether a name is listed or, for a host name, matched by a wildcard of one label. */
  covers(text: string): boolean {
    const name = parseName(text)
    if (this.#names.has(keyOf(name))) return true
    if (name.kind !== 'DNS') return false
    const [label, parent] = splitLabel(name.value)
    return (this.#wildcards.get(parent) ?? []).some((wildcard) => matches(wildcard, label))
  }
}

function keyOf(name: CertificateName): string {
  return `${name.kind} ${comparableName(name)}`
}

/** A first label with an asterisk at its beginning or end, alone (`*`) or next to part of a label (`web*`). */
interface Wildcard {
  readonly before: string
  readonly after: string
  readonly parent: string
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/
/** Text allowed after an asterisk. */
const LABEL_END = /^[a-z0-9-]*[a-z0-9]$/
const MATCHED = /^(?:[a-z0-9-]*|\*)$/

/** `valid_star` in crypto/x509/v3_utl.c: at least two labels after the wildcard, and no wildcard in an `xn--` label. */
function wildcardIn(name: string): Wildcard | null {
  const [first, parent] = splitLabel(name)
  const [before, after, another] = first.split('*')
  if (before === undefined || after === undefined || another !== undefined) return null
  if (before !== '' && (after !== '' || !LABEL.test(before) || before.startsWith('xn--'))) return null
  if (after !== '' && !LABEL_END.test(after)) return null
  const labels = parent.split('.').slice(1)
  return labels.length >= 2 && labels.every((label) => LABEL.test(label)) ? { before, after, parent } : null
}

/** `wildcard_match` in the same file. */
function matches({ before, after }: Wildcard, label: string): boolean {
  if (label.length < before.length + after.length || !label.startsWith(before) || !label.endsWith(after)) {
    return false
  }
  const matched = label.slice(before.length, label.length - after.length)
  if (!MATCHED.test(matched)) return false
  return before + after === '' ? matched !== '' : !label.startsWith('xn--')
}

/** Splits off the first label; the rest keeps its leading dot. */
function splitLabel(name: string): [label: string, parent: string] {
  const dot = name.indexOf('.')
  return dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot)]
}
