import { toSharedJson } from '../../workers/base/shared-json.js'
import type { HostSource, HostSources } from '../../workers/protocol/hosts.js'
import { hostNameIn } from '../base/option-names.js'
import { isOnDemand, type OnDemandGiven } from './on-demand-options.js'

/** The option `hosts` in the forms of the schema: files by name, patterns, or hosts on demand. */
export type HostsOption = string[] | Record<string, CheckedFiles> | OnDemandGiven | undefined

interface CheckedFiles {
  readonly cert: string
  readonly key: string
  readonly ocsp?: string | undefined
}

/** The names of the option; none for patterns. */
export function namedHosts(hosts: HostsOption): string[] {
  return hosts === undefined || Array.isArray(hosts) || isOnDemand(hosts) ? [] : Object.keys(hosts)
}

/** The first repeated name. Names are compared in ASCII, case-insensitively (RFC 4343). */
export function duplicateName(names: readonly string[]): string | undefined {
  const seen = new Set<string>()
  return names.find((name) => seen.size === seen.add(hostNameOf(name)).size)
}

/** The sources of the hosts; `null` without the option. Expects validated names. */
export function hostSources(hosts: HostsOption): HostSources | null {
  if (hosts === undefined) return null
  if (isOnDemand(hosts)) return { named: null, patterns: [] }
  if (Array.isArray(hosts)) return { named: null, patterns: hosts }
  const named = Object.entries(hosts).map(([name, { cert, key, ocsp }]): HostSource => {
    const host = hostNameOf(name)
    return { id: host, name: host, cert, key, ...(ocsp === undefined ? {} : { ocsp }) }
  })
  return { named: named.length > 0 ? toSharedJson(named) : null, patterns: [] }
}

/** The normalized name; an invalid name is unchanged, and refused elsewhere. */
function hostNameOf(name: string): string {
  const read = hostNameIn(name)
  return 'name' in read ? read.name : name
}
