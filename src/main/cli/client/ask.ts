import http from 'node:http'

import { printable, printableJson } from '../../../workers/base/printable.js'
import { adviceFor, isAboutFiles } from '../../base/advice.js'
import type { ProblemView } from '../../control/views.js'
import { trustedControlPath } from '../control-path.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { problemLine } from './report.js'

/** The flags of every client command. */
export interface ClientFlags {
  readonly control?: string
  readonly json?: boolean
}

export interface Question {
  readonly control: string | undefined
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** Sent as JSON. */
  readonly body?: object
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** The response of the control server to a successful request. */
export interface Reply {
  /** JSON with a line end, escaped for terminals; empty if the response had no body. */
  readonly body: string
  readonly json: unknown
}

/** A problem response of the server. */
class ProblemReply extends CommandError {
  readonly body: string

  constructor(exitCode: number, lines: readonly string[], body: string) {
    super(exitCode, lines)
    this.body = body
  }
}

/**
 * Sends a request to the control server.
 *
 * @throws CommandError whose last line is the remedy; a `ProblemReply` if the server answered with a problem.
 */
export async function ask(question: Question): Promise<Reply> {
  const socketPath = trustedControlPath(question.control)
  const timeout = AbortSignal.timeout(question.timeoutMs)
  const signal = question.signal ? AbortSignal.any([question.signal, timeout]) : timeout
  try {
    const { status, body } = await exchange(question, socketPath, signal)
    const json = body === '' ? undefined : parse(body)
    // Serialized again, because another server may have sent arbitrary text.
    const shown = body === '' ? '' : `${printableJson(JSON.parse(body))}\n`
    if (status >= 200 && status < 300) return { body: shown, json }
    throw problemReply(status, json, shown)
  } catch (error) {
    if (error instanceof CommandError) throw error
    if (timeout.aborted) throw timedOut(question)
    throw unreachable(socketPath, error as NodeJS.ErrnoException)
  }
}

/** Sends a request; with `json`, a problem response is printed as JSON too. */
export async function askAndPrint(question: Question, json: boolean | undefined): Promise<Reply> {
  try {
    return await ask(question)
  } catch (error) {
    if (json && error instanceof ProblemReply) process.stdout.write(error.body)
    throw error
  }
}

function exchange(
  { method, path, body }: Question,
  socketPath: string,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path, signal, agent: false })
    request.once('error', reject)
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() })
      })
    })
    if (body) request.setHeader('Content-Type', 'application/json')
    request.end(body && JSON.stringify(body))
  })
}

function parse(body: string): unknown {
  try {
    // Every string may be printed on a terminal.
    return JSON.parse(body, (_, value) => (typeof value === 'string' ? printable(value) : value))
  } catch {
    throw new CommandError(EXIT.refused, 'the answer is not from a certswap control server; check --control')
  }
}

interface ProblemDocument {
  readonly type?: string
  readonly detail?: string
  readonly code?: string
  readonly errors?: readonly ProblemView[]
  readonly warnings?: readonly ProblemView[]
}

/** Maximum number of further problems listed; the JSON has all of them. */
const MAX_LISTED = 9

function problemReply(status: number, json: unknown, body: string): ProblemReply {
  const document = (json ?? {}) as ProblemDocument
  const { type = '', detail = `status ${status}` } = document
  const kind = type.replace('urn:certswap:problem:', '')
  const known = Object.hasOwn(OUTCOMES, kind) ? OUTCOMES[kind] : undefined
  const { exitCode, next } = known ?? { exitCode: EXIT.refused, next: '' }
  const advice = next === BY_CODE ? adviceAbout(document) : next === '' ? [] : [next]
  return new ProblemReply(exitCode, [detail, ...furtherProblems(document), ...advice], body)
}

/** The problems after the first, which is in the detail. */
function furtherProblems({ errors = [] }: ProblemDocument): string[] {
  return errors.slice(1, 1 + MAX_LISTED).map(problemLine)
}

/**
 * The advice depends on the codes: files need no check if a thread or a member took too long. A file that is not visible
 * comes first, because it may be the cause of the other problems.
 */
function adviceAbout({ code = '', errors = [], warnings = [] }: ProblemDocument): string[] {
  const hidden = warnings.map((warning) => warning.code).filter((one) => one === 'FILE_DETACHED')
  const codes = [...hidden, ...(errors.length > 0 ? errors.map((error) => error.code) : [code])]
  const check = '`certswap check` shows whether the files can be served; then run `certswap reload` again'
  return [...adviceFor(codes), ...(isAboutFiles(codes) ? [check] : [])]
}

/** Placeholder for advice that depends on the codes of the problems. */
const BY_CODE = Symbol('advice by code')

const OUTCOMES: Readonly<Record<string, { exitCode: number; next: string | typeof BY_CODE }>> = {
  'reload-failed': { exitCode: EXIT.rejected, next: BY_CODE },
  'reload-incomplete': { exitCode: EXIT.rejected, next: BY_CODE },
  'material-unstable': { exitCode: EXIT.rejected, next: BY_CODE },
  'reload-timeout': {
    exitCode: EXIT.timedOut,
    next: '`certswap status` shows whether the reload has ended',
  },
  'generation-unknown': {
    exitCode: EXIT.refused,
    next: 'use a generation that is kept',
  },
  'drain-started': {
    exitCode: EXIT.refused,
    next: 'the current drain continues; its time can be shortened without --uri',
  },
  'drain-final': { exitCode: EXIT.refused, next: 'run `certswap drain --force` to end it sooner' },
  'not-draining': {
    exitCode: EXIT.refused,
    next: 'start one with `certswap drain`; --deadline 0 cuts at once',
  },
  'invalid-drain': { exitCode: EXIT.usage, next: '' },
  'rollback-refused': {
    exitCode: EXIT.refused,
    next: 'run the command without `--trust` to keep the current CAs and CRLs',
  },
  'drain-forced': { exitCode: EXIT.drainForced, next: 'the log of the server lists the cut connections' },
  draining: { exitCode: EXIT.refused, next: 'ask the process that takes its place' },
  'shutting-down': { exitCode: EXIT.noServer, next: 'the server is stopping' },
  'internal-error': { exitCode: EXIT.rejected, next: 'see the log of the server' },
}

function timedOut({ timeoutMs }: Question): CommandError {
  const next = '`certswap status` shows whether the server responds; use --timeout to wait longer'
  return new CommandError(EXIT.timedOut, [`no answer within ${timeoutMs / 1000} s`, next])
}

function unreachable(socketPath: string, error: NodeJS.ErrnoException): CommandError {
  const where = socketPath
  const options = { cause: error }
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new CommandError(
        EXIT.noServer,
        [
          `no server listens on ${where}`,
          'start one with `certswap serve`, or set the path of its socket with --control PATH',
        ],
        options,
      )
    case 'EACCES':
    case 'EPERM':
      return new CommandError(
        EXIT.refused,
        [`permission denied to connect to ${where}`, 'run this as the user that runs the server'],
        options,
      )
    default:
      return new CommandError(
        EXIT.noServer,
        [
          `the server on ${where} did not answer: ${error.code ?? error.message}`,
          'try again; it may be stopping, or busy',
        ],
        options,
      )
  }
}
