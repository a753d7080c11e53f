import { dirname, relative } from 'node:path'

import { type Problem, ProblemError } from '../base/problem.js'
import type { HostSource } from '../protocol/hosts.js'
import type { FileLimits } from '../protocol/material.js'
import { ROLES } from '../protocol/roles.js'
import { namesIn } from '../read/list-directory.js'
import { digestFile } from '../read/read-file.js'
import { type Candidate, candidatesIn, rivalsIn } from './layouts.js'
import type { HostList } from './list-hosts.js'

/** A host whose directory holds several pairs, any of which may be meant. */
export interface AmbiguousHost {
  readonly directory: string
  readonly problem: Problem
}

/**
 * Leaves out the hosts for which a directory holds several pairs in different layouts, unless the certificate files are the
 * same to the byte. To be asked of hosts that are new or have changed: each directory is listed.
 */
export function withoutAmbiguous(
  hosts: readonly HostSource[],
  { explicit }: HostList,
  limits: FileLimits,
): { clear: readonly HostSource[]; ambiguous: readonly AmbiguousHost[] } {
  const listed = new Map<string, ReturnType<typeof rivalsIn>>()
  const rivalsOf = (directory: string, cert: string): readonly Candidate[] => {
    const rivals = listed.get(directory) ?? rivalsIn(candidatesIn(directory, namesIn(directory)))
    listed.set(directory, rivals)
    return rivals(cert)
  }
  const clear: HostSource[] = []
  const ambiguous: AmbiguousHost[] = []
  for (const host of hosts) {
    const directory = dirname(host.cert)
    const isMeant = host.name !== null || explicit.has(host.id)
    const rivals = isMeant ? [] : rivalsOf(directory, host.cert)
    const rival = rivals.find(({ cert }) => !isSame(cert, host.cert, limits))
    if (rival) ambiguous.push({ directory, problem: ambiguity(host, rival, directory) })
    else clear.push(host)
  }
  return { clear, ambiguous }
}

function ambiguity(host: HostSource, rival: Candidate, directory: string): Problem {
  const pairs = [host, rival].map(
    ({ cert, key }) => `${relative(directory, cert)} with ${relative(directory, key)}`,
  )
  const message =
    `${directory} holds ${pairs.join(' and ')}, and either may be meant; ` +
    `remove one of them, or name the file in "hosts": ${host.cert}`
  return { code: 'HOST_AMBIGUOUS', message, path: directory, host: host.id }
}

/** A file that cannot be read is reported when its host is. */
function isSame(one: string, other: string, limits: FileLimits): boolean {
  try {
    const maxBytes = limits[ROLES.cert.limit]
    return digestFile(one, maxBytes) === digestFile(other, maxBytes)
  } catch (error) {
    if (error instanceof ProblemError) return false
    throw error
  }
}
