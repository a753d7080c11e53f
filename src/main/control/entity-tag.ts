import { hash } from 'node:crypto'

import { RequestProblem } from './problem-document.js'

/**
 * The entity tag of a generation.
 *
 * @param expired warnings about expiry since, for responses that contain them.
 */
export function entityTag(generation: number, expired: string = ''): string {
  return expired === '' ? `"${generation}"` : `"${generation}.${hash('sha256', expired).slice(0, 16)}"`
}

/** Whether `If-None-Match` contains this entity tag, so that the client already has this response. */
export function isKnown(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false
  // Weak comparison (RFC 9110, section 13.1.2).
  return tagsOf('If-None-Match', ifNoneMatch).some((one) => one === '*' || one.replace(/^W\//, '') === tag)
}

/** @throws RequestProblem `generation-changed`, unless `If-Match` is absent or names the served generation. */
export function assertMatch(ifMatch: string | undefined, generation: number): void {
  if (ifMatch === undefined) return
  const isServed = (tag: string) => tag === '*' || tag.replace(/\.[0-9a-f]+"$/, '"') === entityTag(generation)
  if (tagsOf('If-Match', ifMatch).some(isServed)) return
  const detail = `If-Match requires ${ifMatch}, but generation ${generation} is served; nothing was done`
  throw new RequestProblem('generation-changed', detail, {
    generation,
    headers: { ETag: entityTag(generation) },
  })
}

const TAG = /^(?:\*|(?:W\/)?"[\x21\x23-\x7e]*")$/

function tagsOf(name: string, value: string): string[] {
  const tags = value.split(',').map((tag) => tag.trim())
  if (tags.every((tag) => TAG.test(tag))) return tags
  const detail = `${name}: expected entity tags such as "41", with their quotes, got ${value}`
  throw new RequestProblem('malformed-request', detail)
}
