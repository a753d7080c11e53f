import { isDeepStrictEqual } from 'node:util'

import type { Policy } from '../../workers/protocol/material.js'
import type { MaterialSource } from '../api/source.js'
import type { OnDemandStatus } from '../api/status.js'
import type { Serving } from '../attach/serving.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { OnDemandLimits } from '../generation/resolved-options.js'
import { limitsOf } from '../prepare/preparation.js'
import type { Worker } from '../threads/pool.js'
import { acceptHost, wipeHost } from './accept-host.js'
import { callSource } from './call-source.js'
import { closeSource } from './close-source.js'
import type { Feed } from './feed.js'
import { HostPreparer } from './host-preparer.js'
import { OnDemandHosts, type SharedHost } from './on-demand-hosts.js'
import { PushChannel } from './push-channel.js'
import { RefusedHosts } from './refused-hosts.js'
import { Reports } from './reports.js'

/** Parts of an engine that hosts on demand use. */
export interface OnDemandEngine {
  readonly serving: Serving
  readonly worker: Worker
  /** `null` if the engine's own material is in files. */
  readonly feed: Feed | null
  readonly clock: Clock
  readonly logger: Logger
}

/** The hosts on demand of an engine. */
export interface OnDemand {
  status(): OnDemandStatus
  /** The host for a client of another process. */
  share(name: string): Promise<SharedHost>
  /** Sets the receiver of the name of each host that is renewed or removed while it is in service; `null` for none. */
  announceTo(receiver: ((name: string) => void) | null): void
  /** Ends queries and timers, and the source unless it is the engine's own. Hosts stay in service. */
  close(): Promise<void>
}

/** Puts hosts on demand into service. Expects the first generation to be served. */
export function openOnDemand(
  source: MaterialSource,
  isOwn: boolean,
  limits: OnDemandLimits,
  { serving, worker, feed, clock, logger }: OnDemandEngine,
): OnDemand {
  const preparer = new HostPreparer(worker, () => serving.snapshot)
  const reports = new Reports(source, clock, logger)
  const refusals = new RefusedHosts(source.name, clock, logger)
  const user = (method: string, act: () => unknown) => callSource(source.name, method, act, logger)
  let receiver: ((name: string) => void) | null = null
  const hosts = new OnDemandHosts(
    {
      source: {
        name: source.name,
        readHost: (request) => (source.readHost as NonNullable<MaterialSource['readHost']>)(request),
      },
      ...{ clock, logger },
      accept: (name, answer) => acceptHost(answer, name, source.name, limitsOf(serving.snapshot.options)),
      prepare: (name, { set }) => preparer.prepare(name, set),
      wipe: wipeHost,
      policy: samePolicy(() => serving.snapshot.options.policy),
      settled(name, version, problem) {
        if (problem) refusals.note(name, problem)
        reports.sendHost(name, version, serving.snapshot.generation.number, problem)
      },
      retired: (host) => serving.sniHosts.contexts.forget(host),
      changed: (name) => receiver?.(name),
    },
    limits,
  )
  serving.sniHosts.onDemand = hosts
  const changed = (name?: string) => hosts.changed(name)
  if (isOwn) feed?.onHostPush(changed)
  else if (source.watch) {
    const channel = new PushChannel(source.name, clock, logger)
    user('watch', () => source.watch?.(changed, (error) => channel.report(error)))
  }
  return {
    status: () => hosts.status(),
    share: (name) => hosts.share(name),
    announceTo(next) {
      receiver = next
    },
    async close() {
      hosts.close()
      if (!isOwn) await closeSource(source, clock, limits.timeoutMs, user)
    },
  }
}

/** An update or a rollback makes another object. While it is equal, hosts need not be delivered and judged again. */
function samePolicy(current: () => Policy): () => Policy {
  let kept = current()
  let seen = kept
  return () => {
    const next = current()
    if (next !== seen && !isDeepStrictEqual(next, kept)) kept = next
    seen = next
    return kept
  }
}
