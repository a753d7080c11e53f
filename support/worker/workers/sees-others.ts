import type { VerifyReply, VerifyTask } from '../../../src/workers/protocol/verify.js'
import { verify as verifyWell } from '../../../src/workers/verify.js'

export { prepare } from '../../../src/workers/prepare.js'

let calls = 0

/** Looks at every listener; after the first look, which precedes the commit, it reports another certificate. */
export async function verify(task: VerifyTask): Promise<VerifyReply> {
  const looks = await verifyWell(task)
  if (++calls === 1) return looks
  const certificate = { subject: 'CN=other.example', fingerprint256: '14:7B:1C:D0' }
  return looks.map((look) => ({ ...look, certificate }))
}
