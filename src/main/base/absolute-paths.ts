import { dirname, isAbsolute } from 'node:path'

import { isPublicRoots } from '../../workers/protocol/material.js'
import { ReloadError } from './errors.js'
import { MATERIAL_ROWS, type MaterialKind } from './material-options.js'

/**
 * The same options with absolute paths, so that `process.chdir()` has no effect on them, and messages show complete paths.
 * Values that are not paths are left unchanged for the validation of the options.
 *
 * @param base directory that relative paths are relative to.
 * @throws ReloadError `OPTIONS_INVALID` when there is a relative path and the working directory has been removed.
 */
export function withAbsolutePaths<T extends object>(options: T, base?: string): T {
  // Not validated yet: any type is possible.
  const given: unknown = options
  if (!isRecord(given)) return options
  const file = (path: unknown) => absolute(path, base)
  const pattern = (path: unknown) => absolutePattern(path, base)
  const changed: Record<string, unknown> = {}
  const absoluteIn: Record<MaterialKind, (value: unknown) => unknown> = {
    file: (value) => each(value, file),
    files: (value) => each(value, file),
    anchors: (value) => each(value, (one) => (isPublicRoots(one) ? one : file(one))),
    patterns: (value) => each(value, pattern),
    passphrase: (value) => mapNamed(value, 'file', file),
    hosts: (value) =>
      isRecord(value) ? mapValues(value, (files) => mapValues(files, file)) : each(value, pattern),
    tickets: (value) => mapNamed(value, 'secretFile', file),
    peers: (value) => mapNamed(value, 'file', file),
  }
  for (const { name, kind } of MATERIAL_ROWS) if (name in given) changed[name] = absoluteIn[kind](given[name])
  for (const name of ['dir', 'keyFile'])
    if ('lastGood' in given)
      changed['lastGood'] = mapNamed(changed['lastGood'] ?? given['lastGood'], name, file)
  const { policy } = given
  // Without a slash in it, a claim is the name of a host.
  const claim = (one: unknown) => (typeof one === 'string' && one.includes('/') ? file(one) : one)
  if (isRecord(policy)) changed['policy'] = mapNamed(policy, 'nameClaims', (claims) => each(claims, claim))
  // With descriptors, a member with the name `__proto__` stays a member, and is refused later.
  const all = { ...Object.getOwnPropertyDescriptors(options), ...Object.getOwnPropertyDescriptors(changed) }
  return Object.create(Object.getPrototypeOf(options) as object | null, all) as T
}

/**
 * The absolute form of a path. It is not normalized: `..` after a link is the parent of the link's target.
 */
export function absolutePath(path: string, base?: string): string {
  if (isAbsolute(path)) return path
  const { from, rest } = splitRelative(path, base ?? workingDirectory())
  return joined(from, rest)
}

/** The directory in which a relative path begins, and the remaining path, without leading `.` and `..`. */
function splitRelative(path: string, base: string): { from: string; rest: string } {
  let from = base
  let rest = path
  for (;;) {
    const [, dots, after] = /^(\.\.?)(?:\/+(.*))?$/s.exec(rest) ?? []
    if (dots === undefined) return { from, rest }
    // The path of the working directory contains no links, so its parent is its dirname.
    if (dots === '..') from = dirname(from)
    rest = after ?? ''
  }
}

function joined(from: string, rest: string): string {
  if (rest === '') return from
  return from.endsWith('/') ? from + rest : `${from}/${rest}`
}

function absolute(path: unknown, base: string | undefined): unknown {
  return isRelative(path) ? absolutePath(path, base) : path
}

/** Characters that may make a path a pattern. The exact rule is in fast-glob, which only worker threads load. */
const WILDCARD = /[\\*?[{(]/
/** Characters with a special meaning in a pattern. */
const SPECIAL = /[\\*?|(){}[\]!+@]/g

/** Escapes the base directory, whose characters are literal. A path without a wildcard is not a pattern. */
function absolutePattern(pattern: unknown, base: string | undefined): unknown {
  if (!isRelative(pattern)) return pattern
  const { from, rest } = splitRelative(pattern, base ?? workingDirectory())
  const needsEscape = WILDCARD.test(from) && WILDCARD.test(rest)
  return joined(needsEscape ? from.replace(SPECIAL, '\\$&') : from, rest)
}

/** Text that is not a path, such as PEM, stays unchanged and is refused later. */
function isRelative(path: unknown): path is string {
  return typeof path === 'string' && path !== '' && !isAbsolute(path) && !path.includes('-----BEGIN ')
}

function workingDirectory(): string {
  try {
    return process.cwd()
  } catch (error) {
    const message =
      'invalid options: relative paths cannot be resolved, because the working directory no longer exists; use absolute paths'
    throw new ReloadError('OPTIONS_INVALID', message, { cause: error })
  }
}

function each(value: unknown, map: (one: unknown) => unknown): unknown {
  return Array.isArray(value) ? value.map(map) : map(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mapValues(record: unknown, map: (one: unknown) => unknown): unknown {
  if (!isRecord(record)) return record
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
}

function mapNamed(record: unknown, name: string, map: (one: unknown) => unknown): unknown {
  return isRecord(record) && name in record ? { ...record, [name]: map(record[name]) } : record
}
