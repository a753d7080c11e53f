import { childrenOf, contentOf, type DerNode, expectTag } from './der.js'
import { CONSTRUCTED, CONTEXT_0, SEQUENCE } from './der-tags.js'
import { byOid, elementIn } from './extensions.js'
import { extensionsOf } from './x509.js'

const NAME_CONSTRAINTS = '2.5.29.30'
const PERMITTED = CONTEXT_0
const EXCLUDED = CONTEXT_0 + 1
/** The form uniformResourceIdentifier of a GeneralName. */
const URI = 0x86

/**
 * Whether the name constraints of a CA allow URIs with this host (RFC 5280, section 4.2.1.10): `.example.org` stands for all
 * hosts below example.org, any other constraint for one host. An exclusion takes precedence. `true` without constraints.
 *
 * @param host in lower case.
 * @throws RangeError if the constraints cannot be read, or use `minimum` or `maximum`, which OpenSSL refuses.
 */
export function permitsUriHost(der: Uint8Array, host: string): boolean {
  const constraints = byOid(extensionsOf(der)).get(NAME_CONSTRAINTS)
  if (!constraints) return true
  const lists = childrenOf(der, expectTag(der, elementIn(der, constraints), SEQUENCE))
  const hostsIn = (wanted: number) =>
    lists.filter(({ tag }) => tag === wanted).flatMap((list) => urisIn(der, list))
  if (lists.some(({ tag }) => tag !== PERMITTED && tag !== EXCLUDED))
    throw new RangeError('not a list of name constraints')
  if (hostsIn(EXCLUDED).some((one) => matches(one, host))) return false
  const permitted = hostsIn(PERMITTED)
  return permitted.length === 0 || permitted.some((one) => matches(one, host))
}

/** The URI constraints among the subtrees of a list. */
function urisIn(der: Uint8Array, list: DerNode): string[] {
  return childrenOf(der, list).flatMap((subtree) => {
    const [base, ...limits] = childrenOf(der, expectTag(der, subtree, SEQUENCE))
    if (!base || base.tag === URI + CONSTRUCTED) throw new RangeError('a name constraint is not DER')
    if (base.tag !== URI) return []
    if (limits.length > 0) throw new RangeError('a name constraint has a minimum or maximum')
    return contentOf(der, base).toString('latin1').toLowerCase()
  })
}

function matches(constraint: string, host: string): boolean {
  return constraint.startsWith('.') ? host.endsWith(constraint) && host !== constraint : host === constraint
}
