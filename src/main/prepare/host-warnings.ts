import type { Problem } from '../../workers/problem.js'
import type { CertificateFacts } from '../../workers/protocol.js'
import { type Host, type HostTable, inSteps } from '../generation/host-table.js'
import { keyFamilyOf } from '../generation/key-family.js'
import { mixesKeyTypes } from '../generation/native-context.js'

/** Of ten thousand hosts with the same fault, so many are told one by one. */
export const MOST_TOLD = 100

/** What is not well with hosts that have just come, looked for in steps; of the others it was said when they came. */
export function* hostWarnings(
  { conflicts }: HostTable,
  come: readonly Host[],
  certificates: readonly CertificateFacts[],
  mixes: boolean = mixesKeyTypes(),
): Generator<void, Problem[], void> {
  const taken = conflicts.length > 0 ? yield* namesTaken(conflicts, come) : []
  return mixes ? [...taken, ...(yield* strangers(come, certificates))] : taken
}

function* namesTaken(
  conflicts: HostTable['conflicts'],
  come: readonly Host[],
): Generator<void, Problem[], void> {
  const ids = new Set<string>()
  yield* inSteps(come, ({ id }) => ids.add(id))
  const problems: Problem[] = []
  yield* inSteps(conflicts, ({ name, served, other }) => {
    if (problems.length === MOST_TOLD || !(ids.has(served) || ids.has(other))) return
    const message = `${name} is claimed by ${served} and by ${other}; ${served}, which lives longer, serves it`
    problems.push({ code: 'HOST_NAME_TAKEN', message, host: other })
  })
  return problems
}

/** Hosts whose key is of another family than the default certificates'. */
function* strangers(
  come: readonly Host[],
  certificates: readonly CertificateFacts[],
): Generator<void, Problem[], void> {
  const families = new Set(certificates.map(({ keyType }) => keyFamilyOf(keyType)))
  const problems: Problem[] = []
  yield* inSteps(come, ({ id, keyType }) => {
    if (problems.length === MOST_TOLD || (families.size === 1 && families.has(keyFamilyOf(keyType)))) return
    const message =
      `${id} has a key of type ${keyType}, and the default certificate another: ` +
      'before Node 24 some clients are shown the default certificate instead'
    problems.push({ code: 'HOST_KEY_TYPE', message, host: id })
  })
  return problems
}
