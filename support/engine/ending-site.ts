import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { startEngine } from '../../src/main/engine/engine.js'
import type { ReloadEngine, ReloadEngineOptions } from '../../src/main/index.js'
import type { FakeClock } from '../base/fake-clock.js'
import { type RecordingLogger, recordingLogger } from '../base/recording-logger.js'
import { type PairFiles, writePair } from '../files/files.js'
import { tempDir } from '../files/temp-dir.js'
import { type Authority, createAuthority } from '../material/certificates.js'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

export interface EndingOptions {
  /** The clock of the engine; its worker uses the real one. `null` for the real one in both. */
  readonly clock: FakeClock | null
  /** Milliseconds until the revocation list, the anchor and the intermediate expire. */
  readonly listEnds?: number
  readonly caEnds?: number
  readonly chainEnds?: number
  readonly interval?: number
  /** Whether there is a revocation list. */
  readonly crl?: boolean
  readonly extraAnchors?: readonly { readonly certPem: string }[]
}

export interface EndingSite {
  readonly dir: string
  readonly files: PairFiles
  readonly ca: string
  readonly crl: string
  /** The CA of clients, which is the trust anchor. */
  readonly authority: Authority
  /** The CA of the server, which is not a trust anchor. */
  readonly intermediate: Authority
  readonly engine: ReloadEngine
  readonly logger: RecordingLogger
}

/** An engine with a chain, an anchor and a revocation list that expire as set by the options. */
export async function endingSite(t: TestContext, options: EndingOptions): Promise<EndingSite> {
  const { clock, listEnds = 7 * DAY, caEnds, chainEnds, interval = 0, crl: withList = true } = options
  const dir = tempDir(t)
  const authority = createAuthority({ notAfter: caEnds === undefined ? undefined : fromNow(caEnds) })
  const server = createAuthority()
  const intermediate = server.issueAuthority({
    notAfter: chainEnds === undefined ? undefined : fromNow(chainEnds),
  })
  const files = writePair(dir, (chainEnds === undefined ? server : intermediate).issue())
  const [ca, crl] = [join(dir, 'ca.crt'), join(dir, 'list.crl')]
  writeFileSync(ca, [authority, ...(options.extraAnchors ?? [])].map(({ certPem }) => certPem).join(''))
  writeFileSync(crl, authority.crl({ nextUpdate: fromNow(listEnds) }))
  const logger = recordingLogger()
  const engineOptions: ReloadEngineOptions = {
    ...{ ...files, ca, requestCert: true, hosts: [], logger, autoReloadInterval: interval },
    ...(withList ? { crl } : {}),
    // The CA of the server is not a trust anchor.
    policy: { incompleteChain: 'warn' },
  }
  const engine: ReloadEngine = await startEngine(engineOptions, clock ? { clock } : {})
  t.after(() => engine.close())
  return { dir, files, ca, crl, authority, intermediate, engine, logger }
}

/** Writes a CA file and a revocation list, and returns their options for an engine. */
export function writeTrust(dir: string, authority: Authority): { readonly ca: string; readonly crl: string } {
  const [ca, crl] = [join(dir, 'ca.crt'), join(dir, 'list.crl')]
  writeFileSync(ca, authority.certPem)
  writeFileSync(crl, authority.crl())
  return { ca, crl }
}

/** The date this number of milliseconds from now. */
export function fromNow(ms: number): Date {
  return new Date(Date.now() + ms)
}

/** Advances the clock by days in steps of two hours, after each of which the engine compares the clock. */
export async function passDays(clock: FakeClock, count: number): Promise<void> {
  for (let step = 0; step < count * 12; step++) {
    clock.setWall(DAY / 12 - MINUTE)
    await clock.advance(MINUTE)
  }
}

/** The codes of warnings about expired material, in order. */
export function expiredCodes(warnings: readonly { readonly code: string }[]): string[] {
  return warnings.map(({ code }) => code).filter((code) => code.endsWith('_EXPIRED'))
}
