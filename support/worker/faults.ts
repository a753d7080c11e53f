import { threadId } from 'node:worker_threads'

/** The task of a thread that only fails. */
export interface FaultTask {
  /** Whether to succeed, with the ID of the thread as the reply. */
  readonly isHarmless: boolean
  /** Text in the errors that are thrown. */
  readonly secret: string
  /** Set to 1 as soon as a thread has started the task. */
  readonly taken: Int32Array
}

export function faultTask(task: Partial<FaultTask> = {}): FaultTask {
  return { isHarmless: false, secret: '', taken: new Int32Array(new SharedArrayBuffer(4)), ...task }
}

export type Fault = keyof typeof FAULTS

/** Fails in this way, unless the task has `isHarmless`. */
export function fail(fault: Fault, task: FaultTask): unknown {
  return task.isHarmless ? threadId : FAULTS[fault](task)
}

export function isFault(name: string): name is Fault {
  return Object.hasOwn(FAULTS, name)
}

/** Every failure of a thread that its pool must survive. */
const FAULTS = {
  throws({ secret }: FaultTask): never {
    throw new Error(`cannot parse ${secret}`)
  },
  /** The second line of the message looks like a line of the stack. */
  'throws-look-alike'({ secret }: FaultTask): never {
    throw new Error(`cannot parse\n    at ${secret}`)
  },
  'throws-text'({ secret }: FaultTask): never {
    throw secret
  },
  'throws-nothing'(): never {
    // biome-ignore lint/style/useThrowOnlyError: a dependency may do it.
    throw undefined
  },
  exits(): never {
    process.exit(3)
  },
  'hoards-memory'(): never {
    const hoard: number[][] = []
    for (;;) hoard.push(Array.from({ length: 10_000 }, (_, i) => i + 0.5))
  },
  spins({ taken }: FaultTask): never {
    Atomics.store(taken, 0, 1)
    for (;;);
  },
  'never-settles'({ taken }: FaultTask): Promise<never> {
    Atomics.store(taken, 0, 1)
    return new Promise(() => {})
  },
  /** Sending it throws an error that quotes the symbol. */
  'returns-uncloneable'({ secret }: FaultTask): symbol {
    return Symbol(secret)
  },
  'throws-while-idle'(): number {
    setTimeout(() => {
      throw new Error('thrown outside any task')
    }, 20)
    return threadId
  },
  'exits-while-idle'(): number {
    setTimeout(() => process.exit(3), 20)
    return threadId
  },
} as const
