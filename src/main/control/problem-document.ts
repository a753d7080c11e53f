import { randomUUID } from 'node:crypto'

import type { Answer } from './route.js'

/** Every kind of problem response of the control server, with its status. `docs/control.md` explains each. */
export const PROBLEM_KINDS = {
  'malformed-request': { status: 400, title: 'Malformed request' },
  unauthorized: { status: 401, title: 'No valid bearer token' },
  'browser-refused': { status: 403, title: 'Browser requests are refused' },
  'host-refused': { status: 403, title: 'The Host header is not one of this server' },
  'not-found': { status: 404, title: 'No such endpoint' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'generation-unknown': { status: 409, title: 'No such generation to go back to' },
  'drain-started': { status: 409, title: 'Another drain is in progress' },
  'drain-final': { status: 409, title: 'The drain cannot be cancelled' },
  'not-draining': { status: 409, title: 'No drain is in progress' },
  'generation-changed': { status: 412, title: 'Another generation is served' },
  'body-too-large': { status: 413, title: 'Request body too large' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'invalid-config': { status: 422, title: 'Setting refused' },
  'invalid-drain': { status: 422, title: 'Option of the drain refused' },
  'rollback-refused': { status: 422, title: 'Rollback refused' },
  'headers-too-large': { status: 431, title: 'Request headers too large' },
  'reload-failed': { status: 500, title: 'Certificate reload failed' },
  'reload-incomplete': { status: 500, title: 'Some hosts were not reloaded' },
  'internal-error': { status: 500, title: 'Internal error' },
  'material-unstable': { status: 503, title: 'The certificate files are being written' },
  'not-ready': { status: 503, title: 'Not ready' },
  draining: { status: 503, title: 'Draining' },
  'shutting-down': { status: 503, title: 'Shutting down' },
  'reload-timeout': { status: 504, title: 'The reload has not ended yet' },
  'drain-forced': { status: 504, title: 'Connections were cut' },
} as const

export type ProblemKind = keyof typeof PROBLEM_KINDS

export interface ProblemExtras {
  /** Code of the cause, if it is more specific than the kind. */
  readonly code?: string
  readonly generation?: number
  readonly errors?: readonly object[]
  readonly warnings?: readonly object[]
  readonly hosts?: object
  readonly headers?: Readonly<Record<string, string>>
}

/** A problem response: `application/problem+json` (RFC 9457), or one line of text. */
export function problemAnswer(kind: ProblemKind, detail: string, extras: ProblemExtras = {}): Answer {
  const { status, title } = PROBLEM_KINDS[kind]
  const { code = kind.toUpperCase().replaceAll('-', '_'), generation, errors, warnings, hosts } = extras
  const { headers = {} } = extras
  const document = {
    type: `urn:certswap:problem:${kind}`,
    title,
    status,
    detail,
    instance: `urn:uuid:${randomUUID()}`,
    code,
    ...(generation === undefined ? {} : { generation }),
    ...(errors === undefined ? {} : { errors }),
    ...(warnings === undefined ? {} : { warnings }),
    ...(hosts === undefined ? {} : { hosts }),
  }
  return { status, json: document, text: `${title}: ${detail}`, type: 'application/problem+json', headers }
}

/** Ends the handling of a request with a problem. */
export class RequestProblem extends Error {
  readonly answer: Answer

  constructor(kind: ProblemKind, detail: string, extras?: ProblemExtras) {
    super(detail)
    this.answer = problemAnswer(kind, detail, extras)
  }
}
