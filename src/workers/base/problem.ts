/** Every code of a problem, a warning or a `ReloadError`. `docs/errors.md` explains each. */
export const PROBLEM_CODES = [
  'OPTIONS_INVALID',
  'RUNTIME_UNSUPPORTED',
  'LOGGER_UNAVAILABLE',
  'FILE_NOT_FOUND',
  'FILE_UNREADABLE',
  'FILE_NOT_REGULAR',
  'FILE_TOO_LARGE',
  'FILES_CHANGING',
  'FILE_MOUNTED',
  'FILE_DETACHED',
  'MATERIAL_UNPROCESSABLE',
  'PEM_INVALID',
  'CERT_MISSING',
  'KEY_MISSING',
  'KEY_INVALID',
  'KEY_UNSUPPORTED',
  'KEY_PASSPHRASE_REQUIRED',
  'KEY_PASSPHRASE_WRONG',
  'KEY_PERMISSIONS',
  'CERT_KEY_MISMATCH',
  'CERT_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_IS_CA',
  'CERT_PURPOSE',
  'CHAIN_ORDER',
  'CHAIN_INCOMPLETE',
  'CHAIN_TOO_LONG',
  'KEY_TOO_WEAK',
  'KEY_TOO_LARGE',
  'KEY_ENCODING',
  'SIGNATURE_INVALID',
  'NAMES_LOST',
  'NAME_NOT_COVERED',
  'EXPIRES_EARLIER',
  'HOST_AMBIGUOUS',
  'HOST_NAME_TAKEN',
  'HOST_KEY_TYPE',
  'HOST_UNREACHABLE',
  'CA_EMPTY',
  'CA_INVALID',
  'CA_EXPIRED',
  'CA_NAMES_TOO_LONG',
  'CRL_INVALID',
  'CRL_TOO_LARGE',
  'CRL_EXPIRED',
  'CRL_NOT_YET_VALID',
  'CRL_MISSING',
  'CRL_UNUSABLE',
  'PEERS_INVALID',
  'PEERS_EMPTY',
  'OCSP_INVALID',
  'OCSP_MISMATCH',
  'OCSP_REVOKED',
  'OCSP_EXPIRED',
  'OCSP_NOT_YET_VALID',
  'OCSP_UNDATED',
  'OCSP_MISSING',
  'DHPARAM_INVALID',
  'TICKET_SECRET_INVALID',
  'PFX_INVALID',
  'REHEARSAL_FAILED',
  'CONTEXT_REFUSED',
  'SERVED_MISMATCH',
  'SERVED_OTHER',
  'SERVED_UNVERIFIED',
  'SERVER_OVERRIDDEN',
  'PEER_NOT_ALLOWED',
  'PEER_NOT_VERIFIED',
  'TRUST_WITHDRAWN',
  'GENERATION_UNKNOWN',
  'MEMBER_REFUSED',
  'MEMBER_TIMEOUT',
  'MEMBER_EVICTED',
  'SOURCE_UNREACHABLE',
  'SOURCE_DENIED',
  'SOURCE_TIMEOUT',
  'SOURCE_INVALID',
  'SOURCE_WITHDRAWN',
  'SOURCE_OLDER',
  'LAST_GOOD_TORN',
  'LAST_GOOD_TRUNCATED',
  'LAST_GOOD_FOREIGN',
  'LAST_GOOD_REPLAYED',
  'LAST_GOOD_OPEN',
  'LAST_GOOD_UNREADABLE',
  'LAST_GOOD_UNWRITTEN',
  'WORKER_TIMEOUT',
  'WORKER_CRASHED',
  'WORKER_UNAVAILABLE',
  'SUPERSEDED',
  'ABORTED',
  'CLOSED',
  'CONTROL_PATH_UNSAFE',
  'CONTROL_PATH_IN_USE',
  'CONTROL_UNAVAILABLE',
] as const

/** One of {@link PROBLEM_CODES}. */
export type ProblemCode = (typeof PROBLEM_CODES)[number]

/** One problem in one sentence, without any byte of a file. */
export interface Problem {
  readonly code: ProblemCode
  readonly message: string
  /** The file concerned. */
  readonly path?: string
  /** The SNI host concerned; absent for the default certificate. */
  readonly host?: string
}

/**
 * A text that is equal for equal problems of two passes. It omits how long a file has been hanging, because that always
 * differs.
 */
export function identityOfProblems(problems: readonly Problem[]): string {
  return JSON.stringify(problems.map((one) => (TIMED.has(one.code) ? { ...one, message: undefined } : one)))
}

const TIMED: ReadonlySet<ProblemCode> = new Set(['WORKER_TIMEOUT', 'WORKER_UNAVAILABLE'])

/** A problem, with its path if there is one. */
export function problemOf(code: ProblemCode, message: string, path: string | undefined): Problem {
  return path === undefined ? { code, message } : { code, message, path }
}

/** A problem that aborts the step that throws it; `prepare` turns it into data before it leaves the thread. */
export class ProblemError extends Error {
  readonly problem: Problem

  constructor(code: ProblemCode, message: string, path?: string) {
    super(message)
    this.problem = problemOf(code, message, path)
  }
}
