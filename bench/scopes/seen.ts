import { setTimeout as sleep } from 'node:timers/promises'

import type { LoadCalls } from '../load/main.js'
import { sharedNowMs } from '../load/now.js'
import type { Site } from '../material/site.js'
import type { Child } from '../process/child.js'
import type { ReloadReport } from '../server/subject.js'
import type { Service } from '../services/service.js'

/** One renewal; times count from the replacement of its files. */
export interface SeenRound {
  /** Until the end of the first handshake with the new certificate. */
  readonly seenMs: number
  /** Until the start of that connection. */
  readonly dialledMs: number
  readonly report: ReloadReport | undefined
}

export interface SeenOptions {
  readonly service: Service
  readonly site: Site
  readonly load: Child<LoadCalls>
  readonly count: number
  /** Replaces trust anchors together with the certificate. */
  readonly trustToo?: boolean
  /** Milliseconds before each renewal. @defaultValue {@link restMs} of the shape */
  readonly restMs?: number
}

/** Measures renewals one by one, while one client connects repeatedly. */
export async function measureSeen({
  service,
  site,
  load,
  count,
  trustToo,
  restMs: rest = restMs(site.shape),
}: SeenOptions): Promise<SeenRound[]> {
  const rounds: SeenRound[] = []
  for (let i = 0; i < count; i++) {
    const sighting = load.call('dial', {
      ...{ port: service.port, fingerprint256: site.nextFingerprint, pauseMs: PAUSE_MS },
    })
    await sleep(rest)
    if (trustToo) site.replaceAuthorities()
    site.renew()
    const replacedAtMs = sharedNowMs()
    const [report, { seenAtMs, dialledAtMs }] = await Promise.all([service.reload(), sighting])
    rounds.push({ report, seenMs: seenAtMs - replacedAtMs, dialledMs: dialledAtMs - replacedAtMs })
  }
  return rounds
}

const PAUSE_MS = 2

/** Milliseconds until the spare context is built; in production, it always is before the next renewal. */
export function restMs({ authorities }: Site['shape']): number {
  return 60 + authorities * 1.2
}
