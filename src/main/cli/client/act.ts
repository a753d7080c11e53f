import { printable } from '../../control/escape.js'
import type { ReloadView } from '../../control/result-answer.js'
import { askAloud, type ClientFlags } from './ask.js'
import { type Paint, paintFor } from './paint.js'
import { contextRows, table, warningLine } from './report.js'

/** The flags of every command that has a server do something. */
export interface ActFlags extends ClientFlags {
  /** Seconds to wait for the result. */
  readonly timeout: number
}

/** Has the server do something, and prints what is served after it. With `--json`, a refusal is printed as JSON too. */
export async function act(flags: ActFlags, path: string): Promise<void> {
  const { timeout, control } = flags
  const question = { control, method: 'POST', path, timeoutMs: timeout * 1000 } as const
  const { body, json } = await askAloud(question, flags.json)
  if (flags.json) process.stdout.write(body)
  else process.stdout.write(reportOf(json as ReloadView, paintFor(process.stdout)))
}

const SAID: Record<ReloadView['status'], string> = {
  reloaded: 'reloaded: what is on disk is served now',
  'rolled-back': 'rolled back: an earlier certificate is served again',
  unchanged: 'unchanged: what is on disk is served already',
  validated: 'validated: what is on disk can be served; nothing was changed',
}

const TRUST: Record<NonNullable<ReloadView['restored']>['trust'], string> = {
  kept: 'kept: the CAs and CRLs that were in force stay in force',
  restored: 'restored: the CAs and CRLs of that generation are in force again',
}

function reportOf(view: ReloadView, paint: Paint): string {
  const { status, generation, contexts, changed_files, warnings, restored } = view
  const rows = contexts.flatMap((context) => contextRows(context, paint, Date.now()))
  return (
    `${paint('green', SAID[status])}\n` +
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
