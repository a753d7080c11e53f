import { existsSync, readFileSync, writeFileSync } from 'node:fs'

import { prepare as prepareWell } from '../../../src/workers/prepare.js'
import type { PrepareReply, PrepareTask } from '../../../src/workers/protocol/prepare.js'
import type { VerifyReply, VerifyTask } from '../../../src/workers/protocol/verify.js'
import { verify as verifyWell } from '../../../src/workers/verify.js'
import { markerBeside, takenBeside } from '../misbehaviour-marker.js'
import { misbehavingTasks, workerTask } from '../worker-task.js'

/** What the last marker said of VERIFY; it holds for the one thread that a lone engine uses. */
let misbehavesInVerify = ''

/** Prepares as the real entry does, unless a marker beside the certificate names a misbehaviour. */
export async function prepare(task: PrepareTask): Promise<PrepareReply> {
  const cert = task.sources.pairs[0]?.cert ?? ''
  const marker = markerBeside(cert)
  const [phase, name] = existsSync(marker) ? readFileSync(marker, 'utf8').split(' ') : []
  misbehavesInVerify = phase === 'verify' ? (name ?? '') : ''
  if (phase !== 'prepare') return await prepareWell(task)
  writeFileSync(takenBeside(cert), '')
  return (await misbehave(name ?? '')) as PrepareReply
}

export async function verify(task: VerifyTask): Promise<VerifyReply> {
  if (misbehavesInVerify === '') return await verifyWell(task)
  return (await misbehave(misbehavesInVerify)) as VerifyReply
}

async function misbehave(name: string): Promise<unknown> {
  const entry = await import(misbehavingTasks(name).href)
  return await entry.prepare(workerTask())
}
