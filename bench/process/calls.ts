/** Calls between processes: named functions with plain data as arguments and results. */
export type Calls<C> = { [K in keyof C]: (...args: never[]) => Promise<unknown> }

interface Call {
  readonly id: number
  readonly name: string
  readonly args: readonly never[]
}

export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** Answers the calls of the parent process, and ends with it. */
export function answerCalls<C extends Calls<C>>(handlers: C): void {
  process.on('disconnect', () => process.exit())
  process.on('message', ({ id, name, args }: Call) => {
    const handler = handlers[name as keyof C]
    handler(...args).then(
      (value) => send({ id, value }),
      (error: Error) => send({ id, error: error.stack ?? String(error) }),
    )
  })
}

function send(answer: Answer): void {
  process.send?.(answer)
}
