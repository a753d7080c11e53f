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
  /** The clock of the engine; that of its worker stays the real one. `null` is the real one for both. */
  readonly clock: FakeClock | null
  /** When the revocation list, the anchor and the intermediate end, in milliseconds from now. */
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
  /** Of clients: the anchor. */
  readonly authority: Authority
  /** Of the server; not among the anchors. */
  readonly intermediate: Authority
  readonly engine: ReloadEngine
  readonly logger: RecordingLogger
}

/** An engine with a chain, an anchor and a revocation list, each of which ends when the options say. */
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
    // The authority of the server is not among the anchors.
    policy: { incompleteChain: 'warn' },
  }
  const engine: ReloadEngine = await startEngine(engineOptions, clock ? { clock } : {})
  t.after(() => engine.close())
  return { dir, files, ca, crl, authority, intermediate, engine, logger }
}

/** A CA file and a revocation list beside it, as options of an engine. */
export function writeTrust(dir: string, authority: Authority): { readonly ca: string; readonly crl: string } {
  const [ca, crl] = [join(dir, 'ca.crt'), join(dir, 'list.crl')]
  writeFileSync(ca, authority.certPem)
  writeFileSync(crl, authority.crl())
  return { ca, crl }
}

/** The date that is so many milliseconds from now. */
export function fromNow(ms: number): Date {
  return new Date(Date.now() + ms)
}

/** Lets so many days pass in steps of two hours: the engine compares the clock after each. */
export async function passDays(clock: FakeClock, count: number): Promise<void> {
  for (let step = 0; step < count * 12; step++) {
    clock.setWall(DAY / 12 - MINUTE)
    await clock.advance(MINUTE)
  }
}

/** The codes of warnings about what has expired, in their order. */
export function expiredCodes(warnings: readonly { readonly code: string }[]): string[] {
  return warnings.map(({ code }) => code).filter((code) => code.endsWith('_EXPIRED'))
}
