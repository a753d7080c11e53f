import { printableJson } from '../../../workers/base/printable.js'
import type { OnDemandOptions } from '../../api/options.js'
import type { EngineStatus } from '../../api/reload-engine.js'
import { adviceFor } from '../../base/advice.js'
import { ReloadError } from '../../base/errors.js'
import {
  type EndsView,
  endsView,
  type GenerationView,
  generationView,
  type ProblemView,
  problemView,
} from '../../control/views.js'
import { createReloadEngine } from '../../engine/engine.js'
import { CommandError, EXIT } from '../exit-codes.js'
import { type MaterialFlags, resolveConfig } from '../serve/config.js'
import { type EngineConfig, withSources } from '../serve/source.js'
import { checkPeer, type PeerView, peerRows } from './check-peer.js'
import { type Paint, paintFor } from './paint.js'
import { neverRead, readOnce } from './read-once.js'
import {
  contextRows,
  endRows,
  hostRows,
  problemLine,
  type Row,
  table,
  trustCounts,
  warningLine,
} from './report.js'

export interface CheckFlags extends MaterialFlags {
  readonly config?: string
  readonly json?: boolean
  /** File of a client's certificate. */
  readonly peer?: string
}

type CheckView = SoundView | UnsoundView

type SoundView = { readonly status: 'ok'; readonly ends: EndsView; readonly peer?: PeerView } & Pick<
  GenerationView,
  'contexts' | 'trust' | 'hosts' | 'warnings'
>

interface UnsoundView {
  readonly status: 'rejected'
  readonly errors: readonly ProblemView[]
}

/** `certswap check`: validates files, or what a source delivers, as a start or a reload would, without a server. */
export async function check({ json = false, peer, ...flags }: CheckFlags): Promise<void> {
  const { engine } = await resolveConfig(flags)
  const view = await examine(engine, peer)
  if (json) process.stdout.write(`${printableJson(view)}\n`)
  else process.stdout.write(reportOf(view, paintFor(process.stdout)))
  if (view.status === 'ok') {
    if (view.peer && !view.peer.admitted) throw new CommandError(EXIT.rejected, 'the client is refused')
    return
  }
  const advice = adviceFor(view.errors.map(({ code }) => code))
  const what = engine.source ? 'this material' : 'these files'
  throw new CommandError(EXIT.rejected, [`${what} cannot be served`, ...advice])
}

async function examine(config: EngineConfig, peer: string | undefined): Promise<CheckView> {
  // A check writes nothing, and reports what the source itself delivers.
  const { source, hosts, lastGood: _, ...options } = await withSources(config)
  const onDemand = Object(hosts).onDemand as OnDemandOptions | undefined
  const ofHosts = onDemand === undefined || onDemand.source === true ? null : onDemand.source
  try {
    // A server starts despite a broken host, but a check must report it as a failure.
    const policy = { ...options.policy, hosts: 'together' as const }
    await using engine = await createReloadEngine({
      ...options,
      ...(hosts !== undefined && { hosts }),
      ...(onDemand && ofHosts && { hosts: { onDemand: { ...onDemand, source: neverRead(ofHosts) } } }),
      ...(source && { source: await readOnce(source, options.sourceTimeoutSeconds) }),
      policy,
      autoReloadInterval: 0,
      logger: silent,
    })
    const view = soundView(engine.status())
    return peer === undefined ? view : { ...view, peer: await checkPeer(engine, peer) }
  } catch (error) {
    if (!(error instanceof ReloadError) || error.code === 'OPTIONS_INVALID') throw error
    return { status: 'rejected', errors: error.problems.map(problemView) }
  } finally {
    await source?.close?.()
    await ofHosts?.close?.()
  }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

function soundView({ generation, ends }: EngineStatus): SoundView {
  const { contexts, trust, hosts, warnings } = generationView(generation)
  return { status: 'ok', contexts, trust, ends: endsView(ends), hosts, warnings }
}

function reportOf(view: CheckView, paint: Paint): string {
  if (view.status === 'rejected') {
    return table(
      view.errors.map((error) => ['problem', paint('red', problemLine(error))] satisfies Row),
      paint,
    )
  }
  return table(
    [
      ...view.contexts.flatMap((context) => contextRows(context, paint, Date.now())),
      ['trust', trustCounts(view.trust)],
      ...hostRows(view.hosts, paint, Date.now()),
      ...endRows(view.ends, paint, Date.now()),
      ...view.warnings.map((warning) => ['warning', warningLine(warning, paint)] satisfies Row),
      ...(view.peer ? peerRows(view.peer, paint) : []),
      ['result', paint('green', view.warnings.length > 0 ? 'can be served, with warnings' : 'can be served')],
    ],
    paint,
  )
}
