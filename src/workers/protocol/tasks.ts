import type { Progress } from '../progress/progress.js'
import type { PrepareHostsReply, PrepareHostsTask, SealHostsReply, SealHostsTask } from './hosts.js'
import type { JudgePeersReply, JudgePeersTask } from './judge-peers.js'
import type { PrepareReply, PrepareTask } from './prepare.js'
import type { ReadTextReply, ReadTextTask } from './read-text.js'
import type { VerifyReply, VerifyTask } from './verify.js'

/** The functions that the module of the tasks exports, by name. */
export interface WorkerTasks {
  /** Reads, parses, judges and rehearses all material but the hosts, and finds the hosts that changed. */
  prepare(task: PrepareTask): Promise<PrepareReply>
  /** The same for a few dozen hosts. */
  prepareHosts(task: PrepareHostsTask): Promise<PrepareHostsReply>
  /** Seals the record of the hosts once all of them are prepared. */
  sealHosts(task: SealHostsTask): SealHostsReply
  /** Connects to listeners, and reports the certificates that they show. */
  verify(task: VerifyTask): Promise<VerifyReply>
  /** Judges peers of open connections by a trust. */
  judgePeers(task: JudgePeersTask): JudgePeersReply
  /** Reads a file that is no part of the material. */
  readText(task: ReadTextTask): ReadTextReply
}

export type TaskName = keyof WorkerTasks
export type TaskOf<Name extends TaskName> = Parameters<WorkerTasks[Name]>[0]
export type ReplyOf<Name extends TaskName> = Awaited<ReturnType<WorkerTasks[Name]>>

/** What is posted to a worker thread. */
export interface NamedTask<Name extends TaskName = TaskName> {
  readonly name: Name
  readonly task: TaskOf<Name>
  /** Where the thread marks what it works on; absent for a task that only wakes it. */
  readonly progress?: Progress
}
