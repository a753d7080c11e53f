/* Only has to compile: code that a user of the package can write, and code that the compiler rejects. */

import http2 from 'node:http2'
import https from 'node:https'
import tls from 'node:tls'

import { changedPaths, type Fingerprint, type StampFields } from '../../src/fingerprint/index.js'
import {
  type Attempt,
  type CertificateFacts,
  type ChainCertificate,
  type ContextOptions,
  type CurrentEnd,
  type CurrentEnds,
  createReloadEngine,
  type Detach,
  type EndKind,
  type EngineChanges,
  type EngineStatus,
  type ExpiryNotice,
  type Generation,
  type JournalStatus,
  type LastGoodOptions,
  type Logger,
  type MaterialDiff,
  type MaterialEnd,
  type Outcome,
  type PhaseTimings,
  type Policy,
  type PROBLEM_CODES,
  type Problem,
  type ProblemCode,
  type Recovery,
  type ReloadEngine,
  type ReloadEngineOptions,
  ReloadError,
  type ReloadErrorOptions,
  type ReloadEvents,
  type ReloadOptions,
  type ReloadResult,
  type Renewal,
  type Restored,
  type RollbackOptions,
  type ServerExtra,
  type ServingFacts,
  type TicketOptions,
  type Trigger,
  type TrustChange,
  type TrustFacts,
  type WorkerOptions,
} from '../../src/main/index.js'
import { type HttpsSourceOptions, httpsSource } from '../../src/main/sources/https/index.js'
import type {
  Published,
  PublishedMaterial,
  PublishOptions,
  PublishTarget,
  RedisClient,
  RedisSourceOptions,
  WrapOptions,
} from '../../src/main/sources/redis/index.js'

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type IsAny<T> = 0 extends 1 & T ? true : false

function assertType<_T extends true>(): void {}

/** Every public type is a type, and none of them is `any`. */
export type PublicTypes = [
  Attempt,
  CertificateFacts,
  ChainCertificate,
  ContextOptions,
  Detach,
  EngineChanges,
  CurrentEnd,
  CurrentEnds,
  EndKind,
  EngineStatus,
  MaterialEnd,
  ExpiryNotice,
  Fingerprint,
  Generation,
  HttpsSourceOptions,
  JournalStatus,
  Logger,
  MaterialDiff,
  Outcome,
  PhaseTimings,
  Policy,
  Problem,
  ProblemCode,
  Published,
  PublishedMaterial,
  PublishOptions,
  PublishTarget,
  Recovery,
  Renewal,
  RedisClient,
  RedisSourceOptions,
  ReloadEngine,
  ReloadEngineOptions,
  ReloadErrorOptions,
  ReloadEvents,
  ReloadOptions,
  ReloadResult,
  Restored,
  RollbackOptions,
  ServerExtra,
  ServingFacts,
  StampFields,
  TicketOptions,
  Trigger,
  TrustChange,
  TrustFacts,
  LastGoodOptions,
  WorkerOptions,
  WrapOptions,
]
assertType<
  Equals<true extends { [I in keyof PublicTypes]: IsAny<PublicTypes[I]> }[number] ? true : false, false>
>()

// Codes are a closed union of literals, the same wherever they appear.
assertType<Equals<string extends ProblemCode ? true : false, false>>()
assertType<Equals<(typeof PROBLEM_CODES)[number], ProblemCode>>()
assertType<Equals<ReloadError['code'], ProblemCode>>()
assertType<Equals<Problem['code'], ProblemCode>>()
assertType<Equals<Outcome, 'unchanged' | 'applied' | 'waiting-for-pair' | 'rejected' | 'validated'>>()
// @ts-expect-error a code that there is not
new ReloadError('NO_SUCH_CODE', 'message')
new ReloadError('CERT_EXPIRED', 'message', { cause: new Error(), path: 'tls.crt' })

/** The compiler accepts these. */
export async function accepted(app: https.RequestOptions & (() => void)): Promise<void> {
  const engine = await createReloadEngine({ cert: 'tls.crt', key: 'tls.key', autoReloadInterval: 30 })
  const servers: tls.Server[] = [
    https.createServer(engine.serverOptions(), app),
    tls.createServer(engine.serverOptions({ ALPNProtocols: ['mqtt'], handshakeTimeout: 5000 })),
  ]
  const withFallback: http2.SecureServerOptions = engine.serverOptions({ allowHTTP1: true })
  engine.attach(http2.createSecureServer(withFallback))
  const detaches: Detach[] = servers.map((server) => engine.attach(server))
  for (const detach of detaches) detach()
  engine.on('applied', ({ serving }) => void serving.fingerprint256.toLowerCase())
  engine.on('renewed', ({ leaf, trust }) => void [leaf === true, trust === 'reduced'])
  engine.once('recovered', ({ outageMs }) => void outageMs.toFixed())
  const { outcome, problems }: ReloadResult = await engine.reload({
    force: true,
    signal: AbortSignal.timeout(5),
  })
  if (outcome === 'rejected') void problems[0]?.code
  await engine.update({
    cert: ['a', 'b'],
    key: ['c', 'd'],
    policy: { weakKey: 'warn', brokenAnchor: 'reject' },
    ca: undefined,
  })
  await engine.rollback()
  await engine.rollback(3)
  const { restored } = await engine.rollback({ generation: 3, trust: true })
  const trust: 'kept' | 'restored' | undefined = restored?.trust
  void trust
  tls.connect({ secureContext: engine.secureContext() })
  https.get('https://localhost', { agent: engine.agent({ keepAlive: true }) })
  const paths: string[] = changedPaths([], [{ path: 'a', by: 'stamp', value: 'b' }])
  await createReloadEngine({ pfx: 'tls.p12', passphrase: { file: 'pass' }, tls: { minVersion: 'TLSv1.3' } })
  void paths
  await createReloadEngine({ source: httpsSource({ url: 'https://certs.internal/identity' }) })
  await engine.close()
}

/** The compiler rejects each of these. */
export async function refused(engine: ReloadEngine): Promise<void> {
  // @ts-expect-error a misspelled option
  await createReloadEngine({ crt: 'tls.crt', key: 'tls.key' })
  // @ts-expect-error nothing is coerced
  await createReloadEngine({ cert: 'tls.crt', key: 'tls.key', autoReloadInterval: '5' })
  // @ts-expect-error an old version of TLS
  await createReloadEngine({ cert: 'tls.crt', key: 'tls.key', tls: { minVersion: 'TLSv1.1' } })
  // @ts-expect-error content, where a path is meant
  await createReloadEngine({ cert: Buffer.from(''), key: Buffer.from('') })
  // @ts-expect-error an event that there is not
  engine.on('aplied', () => {})
  // @ts-expect-error an outcome that there is not
  void ((await engine.reload()).outcome === 'ok')
  // @ts-expect-error the timer's own trigger
  await engine.reload({ trigger: 'timer' })
  // @ts-expect-error a misspelled option of a rollback
  await engine.rollback({ trsut: true })
  // @ts-expect-error an option that holds for life
  await engine.update({ worker: { timeoutMs: 5 } })
  // @ts-expect-error a result is not for changing
  ;(await engine.reload()).warnings.push({ code: 'CERT_EXPIRED', message: '' })
  // @ts-expect-error a status is not for changing
  engine.status().generation.number = 5
  // @ts-expect-error a token, where the path of its file is meant
  httpsSource({ url: 'https://certs.internal/identity', token: 'secret' })
  // @ts-expect-error plain HTTP
  engine.attach(new (await import('node:http')).Server())
}
