import type { VerifyReply, VerifyTask } from '../../../src/workers/verify.js'

export { prepare } from '../../../src/workers/prepare.js'

/** Sees another certificate on each listener. */
export async function verify({ targets }: VerifyTask): Promise<VerifyReply> {
  return targets.map(() => ({ verdict: 'different', detail: '14:7B:1C:D0' }))
}
