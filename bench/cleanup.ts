type Undo = () => unknown

const pending = new Set<Undo>()

/** Registers an undo function for the end of the run, however it ends. The returned function undoes it now. */
export function beforeExit(undo: Undo): () => Promise<void> {
  pending.add(undo)
  return async () => {
    if (pending.delete(undo)) await undo()
  }
}

/** Calls all remaining undo functions, the newest first. */
export async function cleanUp(): Promise<void> {
  for (const undo of [...pending].reverse()) {
    pending.delete(undo)
    await undo()
  }
}

/** Cleans up when the run is interrupted, so that no process and no file is left. */
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
