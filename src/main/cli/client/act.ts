import { printable } from '../../../workers/base/printable.js'
import type { ReloadView } from '../../control/result-answer.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { askAndPrint, type ClientFlags } from './ask.js'
import { type Paint, paintFor } from './paint.js'
import { contextRows, table, warningLine } from './report.js'

/** The flags of every command that changes what a server serves. */
export interface ActFlags extends ClientFlags {
  /** Seconds to wait for the result. */
  readonly timeout: number
}

/** Sends a request, and prints the certificates served after it. With `--json`, a refusal is printed as JSON too. */
export async function act(flags: ActFlags, path: string): Promise<void> {
  const { timeout, control } = flags
  const question = { control, method: 'POST', path, timeoutMs: timeout * 1000 } as const
  const { body, json } = await askAndPrint(question, flags.json)
  if (flags.json) process.stdout.write(body)
  else process.stdout.write(reportOf(json as ReloadView, paintFor(process.stdout)))
  if (isDetached(json as ReloadView)) throw new CommandError(EXIT.rejected, DETACHED)
}

/** Whether a file that the server sees is not the one on disk, so that the result does not cover all files on disk. */
function isDetached({ status, warnings }: ReloadView): boolean {
  return status !== 'rolled-back' && warnings.some(({ code }) => code === 'FILE_DETACHED')
}

const DETACHED = [
  'the server cannot see a file that was replaced, because it is mounted as a single file (FILE_DETACHED)',
  'mount the directory of the file instead of the file, and restart the server',
]

const HEADLINES: Record<ReloadView['status'], string> = {
  reloaded: 'reloaded: the files on disk are in service now',
  'rolled-back': 'rolled back: an earlier certificate is served again',
  unchanged: 'unchanged: the files on disk have not changed',
  validated: 'validated: the files on disk can be served; nothing was changed',
}

/** The headlines if {@link isDetached}. */
const DETACHED_HEADLINES: Record<ReloadView['status'], string> = {
  ...HEADLINES,
  reloaded: 'reloaded in part: a mounted file hides some files on disk, which are not served',
  unchanged: 'unchanged: a mounted file hides the files on disk; the old certificate is served',
  validated: 'validated in part: a mounted file hides some files on disk; nothing was changed',
}

const TRUST: Record<NonNullable<ReloadView['restored']>['trust'], string> = {
  kept: 'kept: the CAs and CRLs in force did not change',
  restored: 'restored: the CAs and CRLs of that generation are in force again',
}

function reportOf(view: ReloadView, paint: Paint): string {
  const { status, generation, contexts, changed_files, warnings, restored } = view
  const rows = contexts.flatMap((context) => contextRows(context, paint, Date.now()))
  const headline = isDetached(view)
    ? paint('red', DETACHED_HEADLINES[status])
    : paint('green', HEADLINES[status])
  return (
    `${headline}\n` +
    table(
      [
        ['generation', String(generation)],
        ...rows,
        ...(restored ? [['trust', TRUST[restored.trust]] as const] : []),
        ...changed_files.map((file) => ['changed', printable(file)] as const),
        ...warnings.map((warning) => ['warning', warningLine(warning, paint)] as const),
      ],
      paint,
    )
  )
}
