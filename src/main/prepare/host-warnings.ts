import type { Problem } from '../../workers/base/problem.js'
import { MAX_PROBLEMS } from '../../workers/problems/problem-limit.js'
import type { CertificateFacts } from '../../workers/protocol/material.js'
import type { Host } from '../generation/host.js'
import { type HostTable, inSteps, type NameConflict } from '../generation/host-table.js'
import { keyFamilyOf } from '../generation/key-family.js'
import type { NameClaims } from '../generation/name-claims.js'
import { mixesKeyTypes } from '../generation/native-context.js'

/** Warnings about hosts that have just been loaded, computed in steps. Those of other hosts were reported at their load. */
export function* hostWarnings(
  table: HostTable,
  loaded: readonly Host[],
  certificates: readonly CertificateFacts[],
  mixes: boolean = mixesKeyTypes(),
  isDefaultNew: boolean = false,
): Generator<void, Problem[], void> {
  const taken = table.conflicts.length > 0 ? yield* nameConflicts(table, loaded, isDefaultNew) : []
  return mixes ? [...taken, ...(yield* otherKeyTypes(loaded, certificates))] : taken
}

function* nameConflicts(
  { conflicts, claims }: HostTable,
  loaded: readonly Host[],
  isDefaultNew: boolean,
): Generator<void, Problem[], void> {
  const ids = new Set<string>()
  yield* inSteps(loaded, ({ id }) => ids.add(id))
  const problems: Problem[] = []
  const isNew = (id: string | null) => (id === null ? isDefaultNew : ids.has(id))
  yield* inSteps(conflicts, (conflict) => {
    if (problems.length === MAX_PROBLEMS || !(isNew(conflict.served) || isNew(conflict.other))) return
    const host = (conflict.other ?? conflict.served) as string
    problems.push({ code: 'HOST_NAME_TAKEN', message: takenMessage(conflict, claims), host })
  })
  return problems
}

function takenMessage({ name, served, other }: NameConflict, claims: NameClaims): string {
  if (other === null) {
    return `${name} belongs to the default certificate, but ${served} claims and serves it; policy.nameClaims decides which hosts may`
  }
  if (served === null) {
    return `${name} belongs to the default certificate, which serves it; ${other} also claims it, which policy.nameClaims does not allow`
  }
  if (claims.areRestricted && !claims.mayClaim({ id: other })) {
    return `${name} is claimed by ${served} and by ${other}; ${served} serves it, because policy.nameClaims does not allow ${other}`
  }
  return `${name} is claimed by ${served} and by ${other}; ${served}, which expires later, serves it`
}

/** Hosts whose key is of another family than the default certificates'. */
function* otherKeyTypes(
  loaded: readonly Host[],
  certificates: readonly CertificateFacts[],
): Generator<void, Problem[], void> {
  const families = new Set(certificates.map(({ keyType }) => keyFamilyOf(keyType)))
  const problems: Problem[] = []
  yield* inSteps(loaded, ({ id, keyType }) => {
    if (problems.length === MAX_PROBLEMS || (families.size === 1 && families.has(keyFamilyOf(keyType))))
      return
    const message =
      `${id} has a key of type ${keyType}, and the default certificate another type: ` +
      'before Node 24, some clients receive the default certificate instead'
    problems.push({ code: 'HOST_KEY_TYPE', message, host: id })
  })
  return problems
}
