import type { Problem, ProblemCode } from '../../workers/base/problem.js'

/** The remedy for problems of one code. */
export interface Advice {
  /** The area that must be corrected. Only for `files` can a change of the files help. */
  readonly about:
    | 'files'
    | 'mounts'
    | 'source'
    | 'options'
    | 'listeners'
    | 'fleet'
    | 'worker'
    | 'caller'
    | 'control'
  readonly next: string
}

const NEXT_OF_A_FILE =
  'check the storage of the directory, and restore the source: the next delivery is kept again'

/** The remedy for each code, in one place; `docs/errors.md` explains them in detail. */
export const ADVICE: Readonly<Record<ProblemCode, Advice>> = {
  OPTIONS_INVALID: options('correct the options that the message names'),
  RUNTIME_UNSUPPORTED: options('use a runtime, or a server, that the message names'),
  LOGGER_UNAVAILABLE: options('correct the output of the log, or pass another logger'),
  FILE_MOUNTED: mounts('mount the directory instead of the single file'),
  FILE_DETACHED: mounts(
    'mount the directory instead of the single file, and restart the process or the container',
  ),
  FILE_NOT_FOUND: files('create the file or directory, or correct its path'),
  FILE_UNREADABLE: files('give the user that the message names permission to read the file'),
  FILE_NOT_REGULAR: files('name a regular file'),
  FILE_TOO_LARGE: files('check that it is the right file, or raise `worker.maxFileBytes`'),
  FILES_CHANGING: files(
    'wait until the files are written; if the problem persists, find the program that keeps writing them',
  ),
  MATERIAL_UNPROCESSABLE: files('write the file again, and report the message'),
  PEM_INVALID: files('run the command that the message names, or write the file again as PEM'),
  CERT_MISSING: files(
    'write the certificate with its chain into the file, or convert it as the message says',
  ),
  KEY_MISSING: files('write the private key into the file'),
  KEY_INVALID: files(
    'run the command that the message names, or write the key again: openssl pkey -in OLD -out NEW',
  ),
  KEY_UNSUPPORTED: files(
    'issue the certificate with a key on P-256, P-384 or P-521, with Ed25519, or with RSA',
  ),
  KEY_PASSPHRASE_REQUIRED: options('set the option `passphrase`'),
  KEY_PASSPHRASE_WRONG: files('correct the passphrase, or the file that holds it'),
  KEY_PERMISSIONS: files('remove the permission of other users to read the key: chmod 0600'),
  CERT_KEY_MISMATCH: files('write both halves of the renewal, certificate and key'),
  CERT_EXPIRED: files('renew the certificate'),
  CERT_NOT_YET_VALID: files('compare the clock of this machine with that of the CA'),
  CERT_IS_CA: files(
    'serve a certificate that this CA has issued, or issue a self-signed one with basicConstraints CA:FALSE',
  ),
  CERT_PURPOSE: files(
    'issue the named certificate with the property that it lacks according to the message (a server needs serverAuth and digitalSignature)',
  ),
  CHAIN_ORDER: files('write the leaf first, then each issuer'),
  CHAIN_INCOMPLETE: files(
    'append the intermediate certificates to the certificate file, or replace the issuer that the message names',
  ),
  CHAIN_TOO_LONG: files('keep the leaf and its issuers in the certificate file'),
  KEY_TOO_WEAK: files('issue the certificate with a stronger key or signature'),
  KEY_TOO_LARGE: files('issue the certificate with a smaller key'),
  KEY_ENCODING: files(
    'write the key again (openssl ec -in OLD -param_enc named_curve -conv_form uncompressed -out NEW), and issue the certificate again',
  ),
  SIGNATURE_INVALID: files('fetch the certificate again, or put the current certificate of its CA in place'),
  NAMES_LOST: files('issue the certificate with all names, or pass --force if their removal is intended'),
  NAME_NOT_COVERED: files('issue the certificate with the names that are required'),
  EXPIRES_EARLIER: files('check that this is the newer certificate'),
  HOST_AMBIGUOUS: files(
    'remove all pairs but one from the directory, or name the certificate file in `hosts`',
  ),
  HOST_UNREACHABLE: files('issue the certificate of the host with a DNS name that clients request'),
  HOST_NAME_TAKEN: files('remove the name, or the directory, from one of the hosts'),
  HOST_KEY_TYPE: files('use one key type for all hosts, or Node 24'),
  CA_EMPTY: files('write the trust anchors into the file or directory'),
  CA_INVALID: files('remove the file that is not a trust anchor, or exclude it with a pattern in `caDir`'),
  CA_EXPIRED: files('remove the expired trust anchor'),
  CA_NAMES_TOO_LONG: files('trust fewer CAs, or CAs with shorter names'),
  CRL_INVALID: files('fetch the revocation list again'),
  CRL_TOO_LARGE: files('have the CA issue shorter lists, or raise `worker.maxCrlBytes`'),
  CRL_EXPIRED: files('fetch a current revocation list'),
  CRL_NOT_YET_VALID: files('compare the clock of this machine with that of the CA'),
  CRL_MISSING: files('add a revocation list of the CA, an empty one if nothing is revoked'),
  CRL_UNUSABLE: files('fetch the complete revocation list of the CA'),
  PEERS_INVALID: files('correct the file of peers at the place that the message names'),
  PEERS_EMPTY: files('name at least one peer, or remove the option `peers`'),
  OCSP_INVALID: files('run the command that the message names, or fetch the OCSP response again'),
  OCSP_MISMATCH: files('fetch an OCSP response for the certificate that is in place'),
  OCSP_REVOKED: files('replace the certificate: its CA has revoked it'),
  OCSP_EXPIRED: files('fetch a current OCSP response'),
  OCSP_NOT_YET_VALID: files('compare the clock of this machine with that of the CA'),
  OCSP_UNDATED: files('fetch the response from a responder that gives nextUpdate'),
  OCSP_MISSING: files('fetch an OCSP response, and name its file in the option `ocsp`'),
  DHPARAM_INVALID: files('write the parameters again: openssl dhparam -out FILE 2048'),
  TICKET_SECRET_INVALID: files('write the secret again on every replica: openssl rand -out FILE 48'),
  PFX_INVALID: files(
    'run the command that the message names, or write the file again: openssl pkcs12 -export',
  ),
  REHEARSAL_FAILED: options(
    'compare the reason in the message with the option `tls` and the type of the key',
  ),
  CONTEXT_REFUSED: worker(
    'set the option that the message names; without one, report the message: the files passed every check',
  ),
  SERVED_MISMATCH: listeners(
    'the files are valid: find other sources of certificates for the server, such as setSecureContext, an SNICallback or another program on its port',
  ),
  SERVED_OTHER: listeners(
    'nothing if this is intended; otherwise let the engine serve the name, with the option `hosts`',
  ),
  SERVED_UNVERIFIED: listeners(
    'find out why the listener could not be reached; `verifyServed: false` turns the check off',
  ),
  SERVER_OVERRIDDEN: listeners(
    'leave certificates, SNI contexts and ticket keys of attached servers to the engine',
  ),
  PEER_NOT_ALLOWED: caller('add a rule to `peers` if this client should be allowed'),
  PEER_NOT_VERIFIED: caller(
    'compare the issuer of the client with `ca`, and its serial number with the revocation lists; give its intermediates too',
  ),
  TRUST_WITHDRAWN: caller('nothing: the client may connect again'),
  GENERATION_UNKNOWN: caller('roll back to one of the generations in the message'),
  MEMBER_REFUSED: fleet(
    'see the reason in the message, and check that the process runs the same release of Node and certswap',
  ),
  MEMBER_TIMEOUT: fleet('find out what blocks that process, or end it; then reload again'),
  MEMBER_EVICTED: fleet('end the member that does not answer, or restart it'),
  SOURCE_UNREACHABLE: source('check that the source runs, and that this process can reach it'),
  SOURCE_DENIED: source('register this process at the source, or correct its credential'),
  SOURCE_TIMEOUT: source('check the load of the source, or raise `sourceTimeoutSeconds`'),
  SOURCE_INVALID: source('correct what the source delivers, as the message says'),
  SOURCE_WITHDRAWN: source('create the identity at the source again, or stop this process'),
  SOURCE_OLDER: source('wait until the replica of the source is current, or correct its revision'),
  LAST_GOOD_TORN: source(NEXT_OF_A_FILE),
  LAST_GOOD_TRUNCATED: source(NEXT_OF_A_FILE),
  LAST_GOOD_FOREIGN: source(
    'use the directory and the key of this source, or restore the source; the next delivery is kept again',
  ),
  LAST_GOOD_REPLAYED: source(
    'find out who restored an older file; restore the source: the next delivery is kept again',
  ),
  LAST_GOOD_OPEN: options(
    'use a directory that only this user can change, with files of mode 0600, or set `lastGood.keyFile`',
  ),
  LAST_GOOD_UNREADABLE: options('correct the file, its permissions or the path, as the message says'),
  LAST_GOOD_UNWRITTEN: options(
    'correct the directory, its permissions or its free space, as the message says',
  ),
  WORKER_TIMEOUT: worker(
    'if the message names a file, check that its storage responds; otherwise the machine is overloaded: raise `worker.timeoutMs`',
  ),
  WORKER_CRASHED: worker(
    'if the message names a limit, raise it; if it names a file, replace that file; otherwise report the message',
  ),
  WORKER_UNAVAILABLE: worker(
    'check that the storage of the files in the message responds; otherwise restart the process',
  ),
  SUPERSEDED: caller('nothing: a newer generation is served'),
  ABORTED: caller('nothing: the reload continues, and the log and the status show its result'),
  CLOSED: caller('the engine is closed: create a new one, or restart the process'),
  CONTROL_PATH_UNSAFE: control('use a directory that you own, with mode 0700'),
  CONTROL_PATH_IN_USE: control('stop the other process, or choose another path'),
  CONTROL_UNAVAILABLE: control('see the reason in the message'),
}

/** The remedies for these codes, without repetitions; none for a code that this release does not know. */
export function adviceFor(codes: readonly string[]): readonly string[] {
  return known(codes).map(({ next }) => next)
}

/** Problems and their remedies as lines of text. */
export function linesAbout(problems: readonly Problem[]): readonly string[] {
  const lines = problems.map(({ code, message }) => `${code}: ${message}`)
  return [...lines, ...adviceFor(problems.map(({ code }) => code))]
}

/** Whether any of these codes is about files, so that `certswap check` shows whether they are valid. */
export function isAboutFiles(codes: readonly string[]): boolean {
  return known(codes).some(({ about }) => about === 'files')
}

function known(codes: readonly string[]): Advice[] {
  const found = codes.flatMap((code) => (Object.hasOwn(ADVICE, code) ? [ADVICE[code as ProblemCode]] : []))
  return found.filter(({ next }, i) => found.findIndex((one) => one.next === next) === i)
}

function files(next: string): Advice {
  return { about: 'files', next }
}

function mounts(next: string): Advice {
  return { about: 'mounts', next }
}

function source(next: string): Advice {
  return { about: 'source', next }
}

function options(next: string): Advice {
  return { about: 'options', next }
}

function listeners(next: string): Advice {
  return { about: 'listeners', next }
}

function fleet(next: string): Advice {
  return { about: 'fleet', next }
}

function worker(next: string): Advice {
  return { about: 'worker', next }
}

function caller(next: string): Advice {
  return { about: 'caller', next }
}

function control(next: string): Advice {
  return { about: 'control', next }
}
