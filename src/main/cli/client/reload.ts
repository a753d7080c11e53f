import { printable } from '../../control/escape.js'
import type { ReloadView } from '../../control/routes/reload-certs.js'
import { ask, type ClientFlags, ProblemReply, type Reply } from './ask.js'
import { type Paint, paintFor } from './paint.js'
import { contextRows, problemLine, table } from './report.js'

export interface ReloadFlags extends ClientFlags {
  readonly force?: boolean
  readonly dryRun?: boolean
  /** Seconds. */
  readonly timeout: number
}

/** `certswap reload` */
export async function reload(flags: ReloadFlags): Promise<void> {
  const query = [...(flags.force ? ['force=1'] : []), ...(flags.dryRun ? ['dry_run=1'] : [])].join('&')
  const path = query === '' ? '/reload_certs' : `/reload_certs?${query}`
  const { body, json } = await attempt(flags, path)
  if (flags.json) process.stdout.write(body)
  else process.stdout.write(reportOf(json as ReloadView, paintFor(process.stdout)))
}

async function attempt({ control, timeout, json }: ReloadFlags, path: string): Promise<Reply> {
  try {
    return await ask({ control, method: 'POST', path, timeoutMs: timeout * 1000 })
  } catch (error) {
    if (json && error instanceof ProblemReply) process.stdout.write(error.body)
    throw error
  }
}

const SAID: Record<ReloadView['status'], string> = {
  reloaded: 'reloaded: what is on disk is served now',
  unchanged: 'unchanged: what is on disk is served already',
  validated: 'validated: what is on disk can be served; nothing was changed',
}

function reportOf(
  { status, generation, contexts, changed_files, warnings }: ReloadView,
  paint: Paint,
): string {
  const rows = contexts.flatMap((context) => contextRows(context, paint, Date.now()))
  return (
    `${paint('green', SAID[status])}\n` +
    table(
      [
        ['generation', String(generation)],
        ...rows,
        ...changed_files.map((file) => ['changed', printable(file)] as const),
        ...warnings.map((warning) => ['warning', paint('yellow', problemLine(warning))] as const),
      ],
      paint,
    )
  )
}
