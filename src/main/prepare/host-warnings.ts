import type { Problem } from '../../workers/problem.js'
import type { CertificateFacts } from '../../workers/protocol.js'
import type { Host, HostTable } from '../generation/host-table.js'
import { mixesKeyTypes } from '../generation/native-context.js'

/** Of ten thousand hosts with the same fault, so many are told one by one. */
const MOST_TOLD = 100

/** What is not well with hosts that have just come; of the others it was said when they came. */
export function hostWarnings(
  { conflicts }: HostTable,
  come: readonly Host[],
  certificates: readonly CertificateFacts[],
  mixes: boolean = mixesKeyTypes(),
): Problem[] {
  const ids = new Set(come.map(({ id }) => id))
  const taken = conflicts
    .filter(({ served, other }) => ids.has(served) || ids.has(other))
    .map(({ name, served, other }): Problem => {
      const message = `${name} is claimed by ${served} and by ${other}; ${served}, which lives longer, serves it`
      return { code: 'HOST_NAME_TAKEN', message, host: other }
    })
  const strangers = mixes ? come.filter(({ facts }) => !isOnlyFamily(facts.keyType, certificates)) : []
  const mixed = strangers.map(({ id, facts }): Problem => {
    const message =
      `${id} has a key of type ${facts.keyType}, and the default certificate another: ` +
      'before Node 24 some clients are shown the default certificate instead'
    return { code: 'HOST_KEY_TYPE', message, host: id }
  })
  return [...taken.slice(0, MOST_TOLD), ...mixed.slice(0, MOST_TOLD)]
}

function isOnlyFamily(keyType: string, certificates: readonly CertificateFacts[]): boolean {
  return certificates.every((one) => familyOf(one.keyType) === familyOf(keyType))
}

function familyOf(keyType: string): string | undefined {
  return keyType.split(' ')[0]
}
