export type { EndKind, MaterialEnd } from '../workers/material-ends.js'
export type { Problem, ProblemCode } from '../workers/problem.js'
export { PROBLEM_CODES } from '../workers/problem.js'
export type {
  CertificateCompression,
  CertificateFacts,
  ChainCertificate,
  ContextOptions,
  MaterialDiff,
  Policy,
  TrustFacts,
} from '../workers/protocol.js'
export type {
  EngineChanges,
  HostFiles,
  ReloadEngineOptions,
  TicketOptions,
  WorkerOptions,
} from './api/options.js'
export type { EngineStatus, ReloadEngine, ReloadEvents, ReloadOptions } from './api/reload-engine.js'
export type {
  HostCounts,
  NamedFacts,
  Outcome,
  PhaseTimings,
  ReloadResult,
  Restored,
  ServingFacts,
} from './api/result.js'
export type { Detach } from './attach/server-book.js'
export { ReloadError, type ReloadErrorOptions } from './base/errors.js'
export type { Logger } from './base/logger.js'
export { createReloadEngine } from './engine.js'
export type { EvictedMember, MemberEviction, MemberResult, MemberStatus } from './fleet/followers.js'
export type { Generation, HostFacts, Trigger } from './generation/generation.js'
export type { RecoveryMessage, ReloadMessage } from './observe/channels.js'
export type { CurrentEnd, CurrentEnds } from './observe/earliest-ends.js'
export type { ExpiryNotice } from './observe/expiry-notice.js'
export type { Attempt, JournalStatus, Recovery } from './observe/journal.js'
export type { RollbackOptions } from './rollback.js'
export type { Runtime } from './runtime/current-runtime.js'
export type { ServerFindings, ServerKind } from './runtime/probe.js'
export { type RuntimeSupport, runtimeSupport } from './runtime/runtime-support.js'
export type { ServerExtra } from './server-options.js'
