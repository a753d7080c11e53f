import { printable } from '../../../workers/base/printable.js'
import type { DrainResultView, DrainView } from '../../control/routes/drain.js'
import { askAndPrint, type ClientFlags, type Question } from './ask.js'
import { type Paint, paintFor } from './paint.js'
import { type Row, span, table } from './report.js'

export interface DrainFlags extends ClientFlags {
  readonly uri?: string
  /** In seconds. */
  readonly deadline?: number
  /** In seconds. */
  readonly lameDuck?: number
  readonly wait?: boolean
  readonly force?: boolean
  readonly cancel?: boolean
  /** Seconds to wait for the answer. */
  readonly timeout: number
}

/** `certswap drain`: starts, forces or cancels a drain, and prints its state or result. */
export async function drain(flags: DrainFlags): Promise<void> {
  const { control, timeout } = flags
  const question = { control, timeoutMs: timeout * 1000, ...requestOf(flags) }
  const { body, json } = await askAndPrint(question, flags.json)
  if (flags.json) process.stdout.write(body)
  else
    process.stdout.write(reportOf(json as DrainView | DrainResultView | undefined, paintFor(process.stdout)))
}

function requestOf(flags: DrainFlags): Pick<Question, 'method' | 'path' | 'body'> {
  if (flags.cancel) return { method: 'DELETE', path: '/drain' }
  const wait = flags.wait ? '?wait=1' : ''
  if (flags.force) return { method: 'POST', path: `/drain/force${wait}` }
  return { method: 'POST', path: `/drain${wait}`, body: optionsOf(flags) }
}

function optionsOf({ uri, deadline, lameDuck }: DrainFlags): object {
  return {
    ...(uri === undefined ? {} : { uri }),
    ...(deadline === undefined ? {} : { deadline_ms: deadline * 1000 }),
    ...(lameDuck === undefined ? {} : { lame_duck_ms: lameDuck * 1000 }),
  }
}

const HEADLINES: Readonly<Record<string, string>> = {
  'lame-duck': 'lame duck: all requests are served, but the server reports not ready',
  closing: 'closing: the listeners are closed, and every connection has been asked to close',
  drained: 'drained: every connection has closed',
  forced: 'forced: the remaining connections have been cut',
}

function reportOf(view: DrainView | DrainResultView | undefined, paint: Paint): string {
  if (!view) return `${paint('green', 'cancelled: the server is ready again')}\n`
  const { state, uri } = view
  const rows: Row[] = [
    ...(uri === null ? [] : [['redirect', printable(uri)] satisfies Row]),
    ...('connections' in view ? progressRows(view) : resultRows(view)),
  ]
  const headline = paint(
    state === 'forced' ? 'yellow' : 'green',
    Object.hasOwn(HEADLINES, state) ? (HEADLINES[state] as string) : printable(state),
  )
  return `${headline}\n${table(rows, paint)}`
}

function progressRows({ connections, remaining_ms }: DrainView): Row[] {
  return [
    ['connections', counts(connections)],
    ['cut in', remaining_ms === null ? 'never' : span(remaining_ms)],
  ]
}

function resultRows({ duration_ms, closed, abandoned, forced }: DrainResultView): Row[] {
  return [
    ['took', span(duration_ms)],
    ['closed', counts(closed)],
    ['abandoned', counts(abandoned)],
    ['cut', counts(forced)],
  ]
}

function counts(byProtocol: Readonly<Record<string, number>>): string {
  const some = Object.entries(byProtocol).filter(([, count]) => count > 0)
  return some.map(([protocol, count]) => `${count} ${printable(protocol)}`).join(', ') || 'none'
}
