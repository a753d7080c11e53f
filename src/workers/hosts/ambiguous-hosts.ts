import { dirname, relative } from 'node:path'

import { type Problem, ProblemError } from '../base/problem.js'
import type { HostSource } from '../protocol/hosts.js'
import type { FileLimits } from '../protocol/material.js'
import { ROLES } from '../protocol/roles.js'
import { namesIn } from '../read/list-directory.js'
import { digestFile } from '../read/read-file.js'
import { alternativesIn, type Candidate, candidatesIn } from './layouts.js'
import type { HostList } from './list-hosts.js'

/** A host whose directory holds several possible pairs. */
export interface AmbiguousHost {
  readonly directory: string
  readonly problem: Problem
}

/**
 * Excludes hosts whose directory holds several pairs in different layouts, unless their certificate files are
 * identical. Call it only for new or changed hosts, because it lists each directory.
 */
export function withoutAmbiguous(
  hosts: readonly HostSource[],
  { explicit }: HostList,
  limits: FileLimits,
): { clear: readonly HostSource[]; ambiguous: readonly AmbiguousHost[] } {
  const listed = new Map<string, ReturnType<typeof alternativesIn>>()
  const alternativesOf = (directory: string, cert: string): readonly Candidate[] => {
    const alternatives = listed.get(directory) ?? alternativesIn(candidatesIn(directory, namesIn(directory)))
    listed.set(directory, alternatives)
    return alternatives(cert)
  }
  const clear: HostSource[] = []
  const ambiguous: AmbiguousHost[] = []
  for (const host of hosts) {
    const directory = dirname(host.cert)
    const isMeant = host.name !== null || explicit.has(host.id)
    const alternatives = isMeant ? [] : alternativesOf(directory, host.cert)
    const other = alternatives.find(({ cert }) => !isSame(cert, host.cert, limits))
    if (other) ambiguous.push({ directory, problem: ambiguity(host, other, directory) })
    else clear.push(host)
  }
  return { clear, ambiguous }
}

function ambiguity(host: HostSource, other: Candidate, directory: string): Problem {
  const pairs = [host, other].map(
    ({ cert, key }) => `${relative(directory, cert)} with ${relative(directory, key)}`,
  )
  const message =
    `${directory} holds ${pairs.join(' and ')}, and it is ambiguous which one to serve; ` +
    `remove one of them, or name the file in "hosts": ${host.cert}`
  return { code: 'HOST_AMBIGUOUS', message, path: directory, host: host.id }
}

/** An unreadable file is reported when its host is read. */
function isSame(one: string, other: string, limits: FileLimits): boolean {
  try {
    const maxBytes = limits[ROLES.cert.limit]
    return digestFile(one, maxBytes) === digestFile(other, maxBytes)
  } catch (error) {
    if (error instanceof ProblemError) return false
    throw error
  }
}
