type Undo = () => unknown

const pending = new Set<Undo>()

/** Has something undone when the run ends, however it ends. The function that comes back undoes it now. */
export function beforeExit(undo: Undo): () => Promise<void> {
  pending.add(undo)
  return async () => {
    if (pending.delete(undo)) await undo()
  }
}

/** Undoes all that is left, the newest first. */
export async function cleanUp(): Promise<void> {
  for (const undo of [...pending].reverse()) {
    pending.delete(undo)
    await undo()
  }
}

/** Leaves no process and no file behind when the run is interrupted. */
export function cleanUpOnSignals(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      process.stderr.write(`\n${signal}: cleaning up\n`)
      void cleanUp().finally(() => process.exit(code))
    })
  }
}
