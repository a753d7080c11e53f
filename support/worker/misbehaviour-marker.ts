import { existsSync, rmSync, writeFileSync } from 'node:fs'

import { eventually } from '../base/eventually.js'
import type { Misbehaviour } from './worker-task.js'

/** A worker entry that does what {@link misbehaveIn} says, and otherwise what the real one does. */
export const prepareOrMisbehaveTasks: URL = new URL('./workers/prepare-or-misbehave.js', import.meta.url)

/** Every worker that is to load this certificate misbehaves in this phase, until {@link behave}. */
export function misbehaveIn(phase: 'prepare' | 'verify', cert: string, name: Misbehaviour): void {
  rmSync(takenBeside(cert), { force: true })
  writeFileSync(markerBeside(cert), `${phase} ${name}`)
}

export function behave(cert: string): void {
  rmSync(markerBeside(cert))
}

/** Resolves when a worker has begun to misbehave in PREPARE. */
export async function misbehaving(cert: string): Promise<void> {
  await eventually('a worker misbehaves', () => existsSync(takenBeside(cert)))
}

export function markerBeside(cert: string): string {
  return `${cert}.misbehave`
}

export function takenBeside(cert: string): string {
  return `${cert}.taken`
}
