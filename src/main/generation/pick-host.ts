import type { Generation } from '../api/generation.js'
import { coversName, type Snapshot } from './generation.js'
import type { Host } from './host.js'
import { NameClaims, wildcardOf } from './name-claims.js'

/** Resolves an SNI name to a host, the default certificate, or a refusal. */
export function pickHost(
  { hosts, options, generation }: Pick<Snapshot, 'hosts' | 'options' | 'generation'>,
  servername: string,
): Host | 'default' | 'refused' {
  const host = hosts.find(servername)
  if (host) return host
  if (options.unknownHosts === 'default' || coversName(generation.certificates, servername)) return 'default'
  return 'refused'
}

/** Whether `policy.nameClaims` lets a host on demand have this name, which no host of the table has. */
export function mayHaveHost(
  { options, generation }: Pick<Snapshot, 'options' | 'generation'>,
  servername: string,
): boolean {
  const { nameClaims } = options.policy
  if (nameClaims === 'any') return true
  let claims = claimsOf.get(generation)
  if (!claims) {
    claims = new NameClaims(nameClaims, generation.certificates)
    claimsOf.set(generation, claims)
  }
  const name = servername.toLowerCase()
  const isDefaults = claims.defaultNames.has(name) || claims.defaultNames.has(wildcardOf(name))
  return !isDefaults || claims.mayClaim({ id: name })
}

const claimsOf = new WeakMap<Generation, NameClaims>()
