import type { Progress } from '../progress/progress.js'
import type { PrepareHostsReply, PrepareHostsTask, SealHostsReply, SealHostsTask } from './hosts.js'
import type { JudgePeersReply, JudgePeersTask } from './judge-peers.js'
import type { PrepareReply, PrepareTask } from './prepare.js'
import type { ReadTextReply, ReadTextTask } from './read-text.js'
import type { VerifyReply, VerifyTask } from './verify.js'

/** The functions exported by the task module, by name. */
export interface WorkerTasks {
  /** Reads, parses, checks and rehearses all material except the hosts, and finds changed hosts. */
  prepare(task: PrepareTask): Promise<PrepareReply>
  /** The same for a few dozen hosts. */
  prepareHosts(task: PrepareHostsTask): Promise<PrepareHostsReply>
  /** Builds the record of the hosts after all of them are prepared. */
  sealHosts(task: SealHostsTask): SealHostsReply
  /** Connects to listeners and reports their certificates. */
  verify(task: VerifyTask): Promise<VerifyReply>
  /** Checks peers of open connections against a trust. */
  judgePeers(task: JudgePeersTask): JudgePeersReply
  /** Reads a file that is not part of the material. */
  readText(task: ReadTextTask): ReadTextReply
}

export type TaskName = keyof WorkerTasks
export type TaskOf<Name extends TaskName> = Parameters<WorkerTasks[Name]>[0]
export type ReplyOf<Name extends TaskName> = Awaited<ReturnType<WorkerTasks[Name]>>

/** The message to a worker thread. */
export interface NamedTask<Name extends TaskName = TaskName> {
  readonly name: Name
  readonly task: TaskOf<Name>
  /** Where the thread records its progress; absent for a task that only wakes it. */
  readonly progress?: Progress
}
