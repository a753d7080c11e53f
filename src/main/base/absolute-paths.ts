import { dirname, isAbsolute } from 'node:path'

import { ReloadError } from './errors.js'
import { MATERIAL_ROWS, type MaterialKind } from './material-options.js'

/**
 * The same options with absolute paths, so that `process.chdir()` never changes which files are meant, and messages name
 * them whole. Anything that is no path is left for the check of the options to refuse.
 *
 * @param base directory that relative paths are relative to.
 * @throws ReloadError `OPTIONS_INVALID` when there is a relative path and the working directory has been removed.
 */
export function withAbsolutePaths<T extends object>(options: T, base?: string): T {
  // They have not been checked yet, and may be anything.
  const given: unknown = options
  if (!isRecord(given)) return options
  const file = (path: unknown) => absolute(path, base)
  const pattern = (path: unknown) => absolutePattern(path, base)
  const changed: Record<string, unknown> = {}
  const absoluteIn: Record<MaterialKind, (value: unknown) => unknown> = {
    file: (value) => each(value, file),
    files: (value) => each(value, file),
    patterns: (value) => each(value, pattern),
    passphrase: (value) => mapNamed(value, 'file', file),
    hosts: (value) =>
      isRecord(value) ? mapValues(value, (files) => mapValues(files, file)) : each(value, pattern),
    tickets: (value) => mapNamed(value, 'secretFile', file),
  }
  for (const { name, kind } of MATERIAL_ROWS) if (name in given) changed[name] = absoluteIn[kind](given[name])
  const { policy } = given
  // Without a slash in it, a claim is the name of a host.
  const claim = (one: unknown) => (typeof one === 'string' && one.includes('/') ? file(one) : one)
  if (isRecord(policy)) changed['policy'] = mapNamed(policy, 'nameClaims', (claims) => each(claims, claim))
  // By descriptors: a member that is called `__proto__` stays one, and is refused.
  const all = { ...Object.getOwnPropertyDescriptors(options), ...Object.getOwnPropertyDescriptors(changed) }
  return Object.create(Object.getPrototypeOf(options) as object | null, all) as T
}

/**
 * A path that stands for the same file whatever the working directory is later. It is not normalized: `..` after a link
 * leads to the parent of what the link leads to.
 */
export function absolutePath(path: string, base?: string): string {
  if (isAbsolute(path)) return path
  const { from, rest } = splitRelative(path, base ?? workingDirectory())
  return joined(from, rest)
}

/** The directory that a relative path begins in, and the way from there, which begins with no dots. */
function splitRelative(path: string, base: string): { from: string; rest: string } {
  let from = base
  let rest = path
  for (;;) {
    const [, dots, after] = /^(\.\.?)(?:\/+(.*))?$/s.exec(rest) ?? []
    if (dots === undefined) return { from, rest }
    // The working directory has no links in it: its parent is the one by its name.
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

/** Any of these may make a path a pattern. Only worker threads load fast-glob, which has the exact rule. */
const WILDCARD = /[\\*?[{(]/
/** What has a meaning of its own in a pattern. */
const SPECIAL = /[\\*?|(){}[\]!+@]/g

/** Characters of the base directory stand for themselves, so they are escaped. A path without a wildcard is no pattern. */
function absolutePattern(pattern: unknown, base: string | undefined): unknown {
  if (!isRelative(pattern)) return pattern
  const { from, rest } = splitRelative(pattern, base ?? workingDirectory())
  const needsEscape = WILDCARD.test(from) && WILDCARD.test(rest)
  return joined(needsEscape ? from.replace(SPECIAL, '\\$&') : from, rest)
}

/** Text that is no path, such as PEM, is refused as it was given. */
function isRelative(path: unknown): path is string {
  return typeof path === 'string' && path !== '' && !isAbsolute(path) && !path.includes('-----BEGIN ')
}

function workingDirectory(): string {
  try {
    return process.cwd()
  } catch (error) {
    const message =
      'invalid options: the working directory does not exist any more, so relative paths lead nowhere; give absolute paths'
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
