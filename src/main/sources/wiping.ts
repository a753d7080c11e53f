import type { Clock } from '../base/clock.js'

/** Overwrites the private keys of deliveries after their use. */
export interface Wiping {
  now(secrets: readonly Uint8Array[]): void
  /** Once the engine has copied them. */
  later(secrets: readonly Uint8Array[]): void
  /** Overwrites all that are left. */
  close(): void
}

/** The engine copies delivered bytes long before. */
const AFTER_MS = 60_000

export function createWiping(clock: Clock): Wiping {
  const due = new Set<() => void>()
  const now = (secrets: readonly Uint8Array[]) => {
    for (const secret of secrets) secret.fill(0)
  }
  return {
    now,
    later(secrets) {
      const wipe = () => {
        cancel()
        due.delete(wipe)
        now(secrets)
      }
      const cancel = clock.after(AFTER_MS, wipe)
      due.add(wipe)
    },
    close() {
      for (const wipe of due) wipe()
    },
  }
}
