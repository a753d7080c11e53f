/** What the entries in `workers/` take as a task. */
export interface WorkerTask {
  /** Whether to do no harm, and answer with the id of the thread. */
  readonly well: boolean
  /** In the text of whatever is thrown. */
  readonly secret: string
  /** Set to 1 as soon as a thread has taken the task. */
  readonly taken: Int32Array
}

export function workerTask(task: Partial<WorkerTask> = {}): WorkerTask {
  return { well: false, secret: '', taken: new Int32Array(new SharedArrayBuffer(4)), ...task }
}

/** A worker entry that misbehaves in the way that its name says, unless its task says `well`. */
export function misbehavingTasks(name: Misbehaviour | (string & {})): URL {
  return new URL(`./workers/${name}.js`, import.meta.url)
}

export type Misbehaviour =
  | 'throws'
  | 'throws-look-alike'
  | 'throws-text'
  | 'throws-nothing'
  | 'exits'
  | 'hoards-memory'
  | 'spins'
  | 'never-settles'
  | 'returns-uncloneable'
  | 'throws-while-idle'
  | 'exits-while-idle'
