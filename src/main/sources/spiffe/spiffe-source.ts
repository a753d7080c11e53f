import type { Delivery, MaterialSource, ReadRequest } from '../../api/source.js'
import { SourceError } from '../../api/source.js'
import { systemClock } from '../../base/clock.js'
import { agentCalls, type CallAgent } from './agent-call.js'
import { IdentityWatch } from './identity-watch.js'
import { resolveSpiffeOptions, type SpiffeSourceOptions } from './options.js'

/**
 * Takes the identity of this process, its key and the trust bundles of all trust domains from a SPIFFE agent such as SPIRE
 * (Workload API, `FetchX509SVID`). Needs the package `@grpc/grpc-js`.
 *
 * The stream stays open until the engine closes; each message of the agent starts a pass. The agent may restart at any time:
 * the stream is opened again, and until then the last identity stays in service.
 *
 * Each peer is verified by the anchors of its own trust domain, see {@link Delivery.trustDomains}.
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function spiffeSource(options: SpiffeSourceOptions = {}): MaterialSource {
  const resolved = resolveSpiffeOptions(options)
  let calls: Promise<CallAgent> | undefined
  const watch = new IdentityWatch({
    options: resolved,
    clock: systemClock,
    random: Math.random,
    connect: () => {
      calls ??= agentCalls(resolved)
      calls.catch(() => {
        calls = undefined
      })
      return calls
    },
  })
  const { name, endpoint, id, hint } = resolved
  return {
    name,
    identity: JSON.stringify([endpoint.text, id, hint]),
    read: (request) => read(watch, request, endpoint.text),
    watch: (changed) => void watch.onChange(changed),
    async close() {
      watch.close()
    },
  }
}

async function read(
  watch: IdentityWatch,
  { version, signal }: ReadRequest,
  address: string,
): Promise<Delivery | 'unchanged'> {
  watch.start()
  while (watch.state === null) await nextState(watch, signal, address)
  const { state } = watch
  if (state instanceof SourceError) throw new SourceError(state.code, state.message, { cause: state.cause })
  if (state.version === version) return 'unchanged'
  const { digest: _, key: __, ...material } = state.identity
  return { version: state.version, ...material }
}

function nextState(watch: IdentityWatch, signal: AbortSignal, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = watch.onChange(settle)
    signal.addEventListener('abort', settle)
    if (signal.aborted) settle()
    function settle(): void {
      stop()
      signal.removeEventListener('abort', settle)
      if (!signal.aborted) resolve()
      else reject(new SourceError('SOURCE_TIMEOUT', `the agent at ${address} sent no message in time`))
    }
  })
}
