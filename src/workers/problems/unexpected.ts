import { type Problem, ProblemError } from '../base/problem.js'
import { markedPath } from '../progress/progress.js'

/** Kind and place of an error, without its message, which could quote the parsed input. */
export function placeOfError(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const exit = /^worker exited with code: \d+$/.exec(error.message)
  if (exit) return exit[0]
  const frame = /^\s+at .*$/m.exec(framesOf(error))?.[0].trim() ?? 'at an unknown place'
  return `${error.name} ${frame}`
}

/** Kind of an error and the function that threw it. Line numbers and files differ between builds. */
function functionOf(error: unknown): string {
  const place = placeOfError(error)
  return place.replace(/ \(.*$/, '').replace(/ at (async )?[^ ]*[/:].*$/, '')
}

/** The stack after the message, whose own lines can look like frames; empty if the stack does not contain the message. */
function framesOf({ message, stack = '' }: Error): string {
  const start = stack.indexOf(message)
  return start < 0 ? '' : stack.slice(start + message.length)
}

/**
 * The problem for an error. An unforeseen error becomes `MATERIAL_UNPROCESSABLE` of the current file, so that only this
 * file is affected.
 */
export function problemOfError(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem
  const path = markedPath()
  const message = `${path ?? 'the material'} cannot be processed: unexpected ${functionOf(error)}; please report it`
  return { code: 'MATERIAL_UNPROCESSABLE', message, ...(path === null ? {} : { path }) }
}
