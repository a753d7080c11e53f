import { chmodSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

const NOBODY = 65_534

/** Runs `act` while `path` has this mode, as a user to whom file permissions apply: root reads everything. */
export function lockedOut<T>(path: string, mode: number, act: () => T): T {
  const { mode: before } = statSync(path)
  chmodSync(dirname(path), 0o755)
  chmodSync(path, mode)
  try {
    return asNobody(act)
  } finally {
    chmodSync(path, before)
  }
}

function asNobody<T>(act: () => T): T {
  if (process.geteuid?.() !== 0) return act()
  process.seteuid?.(NOBODY)
  try {
    return act()
  } finally {
    process.seteuid?.(0)
  }
}
