import { printable } from '../../../workers/base/printable.js'
import type { PeerVerdict } from '../../api/peer-verdict.js'
import type { ReloadEngine } from '../../api/reload-engine.js'
import { ReloadError } from '../../base/errors.js'
import { type ProblemView, problemView } from '../../control/views.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { readText } from '../read-text.js'
import type { Paint } from './paint.js'
import { problemLine, type Row } from './report.js'

/** The verdict on one client. */
export interface PeerView {
  readonly admitted: boolean
  /** Kind and value of the rule that names the client. */
  readonly rule: string | null
  readonly names: PeerVerdict['names']
  readonly errors: readonly ProblemView[]
}

/** Whether the engine admits a client with the certificate in a file. @throws CommandError `EXIT.usage` if it holds none */
export async function checkPeer(engine: Pick<ReloadEngine, 'admits'>, path: string): Promise<PeerView> {
  const { text } = await readText(path, '--peer')
  try {
    const { admitted, rule, names, problems } = await engine.admits(text)
    const [kindAndValue] = Object.entries(rule ?? {}) as [string, string][]
    return { admitted, rule: kindAndValue?.join(' ') ?? null, names, errors: problems.map(problemView) }
  } catch (error) {
    if (!(error instanceof ReloadError) || error.code !== 'OPTIONS_INVALID') throw error
    const message = `--peer: ${path} holds no certificate in PEM; convert DER: openssl x509 -inform DER -in FILE`
    throw new CommandError(EXIT.usage, message, { cause: error })
  }
}

export function peerRows({ admitted, rule, names, errors }: PeerView, paint: Paint): Row[] {
  const named = names ? [...names.uri, ...names.dns, ...(names.cn === null ? [] : [`CN=${names.cn}`])] : []
  return [
    ['peer', printable(named.join(', ') || '(no readable name)')],
    ...(names ? [['  key', `spki ${names.spki}`] satisfies Row] : []),
    ...(rule === null ? [] : [['  rule', printable(rule)] satisfies Row]),
    ...errors.map((error) => ['  problem', paint('red', problemLine(error))] satisfies Row),
    ['  result', admitted ? paint('green', 'may connect') : paint('red', 'is refused')],
  ]
}
