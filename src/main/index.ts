export type { Problem, ProblemCode } from '../workers/base/problem.js'
export { PROBLEM_CODES } from '../workers/base/problem.js'
export type { PeerRule } from '../workers/formats/peer-rules.js'
export type { EndKind } from '../workers/protocol/end-kinds.js'
export type { MaterialEnd } from '../workers/protocol/ends.js'
export type {
  CertificateCompression,
  CertificateFacts,
  ChainCertificate,
  ContextOptions,
  Policy,
  Purpose,
  TrustFacts,
} from '../workers/protocol/material.js'
export type { MaterialDiff } from '../workers/protocol/prepare.js'
export type { ClientOptionsForm, ContextClientOptions, PemClientOptions } from './api/client-options.js'
export type { Generation, HostFacts, Trigger } from './api/generation.js'
export type { EvictedMember, MemberEviction, MemberResult, MemberStatus } from './api/members.js'
export type {
  EngineChanges,
  HostFiles,
  LastGoodOptions,
  OnDemandOptions,
  PeerOptions,
  ReloadEngineOptions,
  TicketOptions,
  WorkerOptions,
} from './api/options.js'
export type { PeerVerdict } from './api/peer-verdict.js'
export type {
  EngineStatus,
  ReloadEngine,
  ReloadEvents,
  ReloadOptions,
  RollbackOptions,
} from './api/reload-engine.js'
export type { Renewal, TrustChange } from './api/renewal.js'
export type {
  HostCounts,
  NamedFacts,
  Outcome,
  PhaseTimings,
  ReloadResult,
  Restored,
  ServingFacts,
  Verification,
} from './api/result.js'
export type { ServerExtra } from './api/server-extra.js'
export type { Detach, ServingEngine } from './api/serving-engine.js'
export {
  type DeliveredBytes,
  type DeliveredHost,
  type DeliveredPair,
  type Delivery,
  type HostDelivery,
  type HostRequest,
  type MaterialSource,
  type ReadRequest,
  SourceError,
  type SourceErrorCode,
  type SourceErrorOptions,
  type SourceReport,
} from './api/source.js'
export type {
  Attempt,
  CurrentEnd,
  CurrentEnds,
  ExpiryNotice,
  HostQueryOutcome,
  JournalStatus,
  OnDemandStatus,
  Recovery,
  RefusedPeers,
  SkippedQuery,
  SourceStatus,
} from './api/status.js'
export { ReloadError, type ReloadErrorOptions } from './base/errors.js'
export type { Logger } from './base/logger.js'
export type { RecoveryMessage, ReloadMessage } from './engine/channels.js'
export { createReloadEngine } from './engine/engine.js'
export type { Runtime } from './runtime/current-runtime.js'
export type { ServerFindings, ServerKind } from './runtime/probe.js'
export { type RuntimeSupport, runtimeSupport } from './runtime/runtime-support.js'
