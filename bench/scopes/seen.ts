import { setTimeout as sleep } from 'node:timers/promises'

import type { LoadCalls } from '../load/main.js'
import { sharedNowMs } from '../load/now.js'
import type { Site } from '../material/site.js'
import type { Child } from '../process/child.js'
import type { ReloadReport } from '../server/subject.js'
import type { Service } from '../services/service.js'

/** One renewal, from the moment when its files were in place. */
export interface SeenRound {
  /** Until the handshake was done that was shown the new certificate. */
  readonly seenMs: number
  /** Until that connection began. */
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
}

/** Renewals one by one, while one client connects again and again. */
export async function measureSeen({
  service,
  site,
  load,
  count,
  trustToo,
}: SeenOptions): Promise<SeenRound[]> {
  const rounds: SeenRound[] = []
  for (let i = 0; i < count; i++) {
    const sighting = load.call('dial', {
      ...{ port: service.port, fingerprint256: site.nextFingerprint, pauseMs: PAUSE_MS },
    })
    await sleep(restMs(site.shape))
    if (trustToo) site.replaceAuthorities()
    site.renew()
    const replacedAtMs = sharedNowMs()
    const [report, { seenAtMs, dialledAtMs }] = await Promise.all([service.reload(), sighting])
    rounds.push({ report, seenMs: seenAtMs - replacedAtMs, dialledMs: dialledAtMs - replacedAtMs })
  }
  return rounds
}

const PAUSE_MS = 2

/** Until the engine has stocked its spare, as in life, where certificates are renewed days apart. */
export function restMs({ authorities }: Site['shape']): number {
  return 60 + authorities * 1.2
}
