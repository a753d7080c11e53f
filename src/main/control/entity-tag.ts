import { hash } from 'node:crypto'

import { RequestProblem } from './problem-document.js'

/**
 * The entity tag of what is served: it changes when a generation does.
 *
 * @param expired what has expired since, for an answer that names it.
 */
export function entityTag(generation: number, expired: string = ''): string {
  return expired === '' ? `"${generation}"` : `"${generation}.${hash('sha256', expired).slice(0, 16)}"`
}

/** Whether `If-None-Match` has this entity tag, so that the client has this answer already. */
export function isKnown(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false
  // Weak comparison (RFC 9110, section 13.1.2).
  return tagsOf('If-None-Match', ifNoneMatch).some((one) => one === '*' || one.replace(/^W\//, '') === tag)
}

/** @throws RequestProblem unless `If-Match` is absent or names the generation that is served. */
export function assertMatch(ifMatch: string | undefined, generation: number): void {
  if (ifMatch === undefined) return
  const isServed = (tag: string) => tag === '*' || tag.replace(/\.[0-9a-f]+"$/, '"') === entityTag(generation)
  if (tagsOf('If-Match', ifMatch).some(isServed)) return
  const detail = `If-Match asks for ${ifMatch}, but generation ${generation} is served; nothing was done`
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
