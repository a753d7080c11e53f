import type { IncomingMessage } from 'node:http'

import { shortened } from '../../../workers/base/short-text.js'
import type { SourceError } from '../../api/source.js'
import { PACKAGE_VERSION } from '../../base/package-version.js'
import { type BodyLimit, readPemBody } from './body.js'
import type { Credentials } from './credentials.js'
import { discard, exchange } from './exchange.js'
import { failureOf, refused, type Subject } from './failures.js'
import { retryAfterMs } from './retry-after.js'
import { versionOf } from './version.js'

/** Something that one URL of the service returns. */
export interface Resource extends Subject {
  readonly limit: BodyLimit
}

export interface ResourceRequest {
  readonly credentials: Credentials
  readonly signal: AbortSignal
  /** The entity tag of the known content; `null` to get the content in any case. */
  readonly entityTag: string | null
  /** Milliseconds since the epoch. */
  readonly wallMs: number
}

/** The content of a resource. */
export interface Content {
  readonly bytes: Uint8Array
  readonly version: string
}

const MAX_REDIRECTS = 3
const REDIRECTS: ReadonlySet<number | undefined> = new Set([301, 302, 303, 307, 308])
/** Answers that say nothing about the resource (RFC 9110, section 15.5; RFC 6585; RFC 8470), besides all of 5xx. */
const BUSY: ReadonlySet<number> = new Set([408, 425, 429])

/**
 * Gets a resource. Redirects are followed within the same scheme, host and port, so that no other host receives the token.
 *
 * @returns `'absent'` if the service states that the resource does not exist.
 * @throws SourceError
 */
export async function getResource(
  resource: Resource,
  request: ResourceRequest,
): Promise<Content | 'unchanged' | 'absent'> {
  try {
    let { url } = resource
    for (let redirects = 0; ; redirects++) {
      const response = await exchange({
        ...request.credentials,
        ...request,
        headers: headersOf(request),
        url,
      })
      if (!REDIRECTS.has(response.statusCode)) return await outcomeOf(response, resource, request)
      discard(response)
      if (redirects === MAX_REDIRECTS)
        throw refused(resource, `it redirects more than ${MAX_REDIRECTS} times`)
      url = targetOf(response.headers.location, url, resource)
    }
  } catch (error) {
    throw failureOf(error, resource, request.signal)
  }
}

function headersOf({ credentials: { authorization }, entityTag }: ResourceRequest): Record<string, string> {
  return {
    accept: 'application/pem-certificate-chain, application/x-pem-file, text/plain, */*;q=0.1',
    'accept-encoding': 'identity',
    'user-agent': `certswap/${PACKAGE_VERSION}`,
    ...(authorization !== null && { authorization }),
    ...(entityTag !== null && { 'if-none-match': entityTag }),
  }
}

function targetOf(location: string | undefined, from: URL, resource: Resource): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw refused(resource, 'it redirects without a valid location')
  }
  const target = new URL(location, from)
  if (target.origin === from.origin && !target.username && !target.password) return target
  throw refused(
    resource,
    `it redirects to ${shortened(target.origin)}, which is not followed; correct the URL`,
  )
}

async function outcomeOf(
  response: IncomingMessage,
  resource: Resource,
  { signal, entityTag, wallMs }: ResourceRequest,
): Promise<Content | 'unchanged' | 'absent'> {
  const { statusCode: status = 0, headers } = response
  if (status === 200) {
    try {
      const bytes = await readPemBody(response, resource, resource.limit, signal)
      return { bytes, version: versionOf(headers, bytes) }
    } catch (error) {
      discard(response)
      throw error
    }
  }
  discard(response)
  if (status === 204 || status === 410) return 'absent'
  if (status === 304 && entityTag !== null) return 'unchanged'
  throw refusalOf(status, resource, retryAfterMs(headers, wallMs))
}

function refusalOf(status: number, resource: Resource, delayMs: number | undefined): SourceError {
  if (status === 401 || status === 403) {
    return refused(resource, `it answered ${status}; check the credential of this client`, 'SOURCE_DENIED')
  }
  if (status >= 500 || BUSY.has(status)) {
    return refused(resource, `it answered ${status}`, 'SOURCE_UNREACHABLE', delayMs)
  }
  if (status === 304) return refused(resource, 'it answered 304, although no version was sent')
  // In particular 404, which a wrong path causes too, does not state that the name does not exist.
  return refused(resource, `it answered ${status}; only 204 and 410 state that there is none`)
}
