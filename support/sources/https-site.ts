import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type https from 'node:https'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { Delivery, HostDelivery, MaterialSource, SourceError } from '../../src/main/api/source.js'
import { createHttpsSource } from '../../src/main/sources/https/https-source.js'
import type { HttpsSourceOptions } from '../../src/main/sources/https/options.js'
import { type FakeClock, fakeClock } from '../base/fake-clock.js'
import { tempDir } from '../files/temp-dir.js'
import { type Answer, type MaterialService, materialService } from '../servers/material-service.js'

export const TOKEN = 'correct-horse-battery-staple-42'

/** A service and a source that gets material from it, with a token file and a CA file. */
export interface HttpsSite {
  readonly dir: string
  readonly caFile: string
  readonly tokenFile: string
  readonly service: MaterialService
  readonly source: MaterialSource
  readonly clock: FakeClock
  read(version?: string | null, signal?: AbortSignal): Promise<Delivery | 'unchanged'>
  readHost(name: string, version?: string | null): Promise<HostDelivery | 'unchanged' | 'none'>
  /** The error of a read, whose message must not contain the token. */
  refusal(read?: Promise<unknown>): Promise<SourceError>
}

export interface HttpsSiteOptions {
  readonly server?: https.ServerOptions
  /** Options of the source, given the origin of the service and a temporary directory. */
  readonly source?: (origin: string, dir: string) => Partial<HttpsSourceOptions>
}

export async function httpsSite(
  t: TestContext,
  answer: Answer,
  { server, source: more = () => ({}) }: HttpsSiteOptions = {},
): Promise<HttpsSite> {
  const dir = tempDir(t)
  const service = await materialService(t, answer, server)
  const { origin } = service
  const caFile = join(dir, 'ca.crt')
  const tokenFile = join(dir, 'token')
  writeFileSync(caFile, service.authority.certPem)
  writeFileSync(tokenFile, `${TOKEN}\n`)
  const clock = fakeClock()
  const urls = { url: `${origin}/identity`, hostsUrl: `${origin}/host` }
  const options = { ...urls, caFile, tokenFile, ...more(origin, dir) }
  const source = createHttpsSource(options, { clock, random: () => 0.5 })
  t.after(() => source.close?.())

  const read: HttpsSite['read'] = (version = null, signal = inTime()) => source.read({ version, signal })
  return {
    dir,
    caFile,
    tokenFile,
    service,
    source,
    clock,
    read,
    async readHost(name, version = null) {
      assert.ok(source.readHost)
      return await source.readHost({ name, version, signal: inTime() })
    },
    async refusal(reading = read()) {
      const outcome = await reading.then(
        () => assert.fail('the read succeeded'),
        (error: unknown) => error as SourceError,
      )
      assert.equal(outcome.name, 'SourceError', String(outcome))
      assert.equal(outcome.cause, undefined)
      assert.ok(!`${outcome.stack}`.includes(TOKEN.slice(0, 9)))
      return outcome
    },
  }
}

/** The text of the bundle of a delivery. */
export function bundleOf(delivery: Delivery | HostDelivery | 'unchanged' | 'none'): string {
  assert.ok(typeof delivery === 'object')
  const [pair] = 'pairs' in delivery ? delivery.pairs : [delivery]
  assert.ok(pair?.bundle instanceof Uint8Array)
  return Buffer.from(pair.bundle).toString('latin1')
}

/** No test waits longer than this. */
function inTime(): AbortSignal {
  return AbortSignal.timeout(20_000)
}
