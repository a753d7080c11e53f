import type { Clock } from '../../base/clock.js'

/** The engine has copied a delivery before that time, in milliseconds. */
const WIPE_AFTER_MS = 60_000

export interface DeliveredKeys {
  /** Overwrites the bytes after a minute, so that keys do not stay in memory. */
  wipeLater(bytes: Uint8Array): void
  close(): void
}

export function createDeliveredKeys(clock: Clock): DeliveredKeys {
  const pending = new Map<Uint8Array, () => void>()
  return {
    wipeLater(bytes) {
      const cancel = clock.after(WIPE_AFTER_MS, () => {
        pending.delete(bytes)
        bytes.fill(0)
      })
      pending.set(bytes, cancel)
    },
    close() {
      for (const [bytes, cancel] of pending) {
        cancel()
        bytes.fill(0)
      }
      pending.clear()
    },
  }
}
