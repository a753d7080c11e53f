import type { Identity } from '../judge/identity.js'
import type { TrustBlocks } from '../parse/trust-blocks.js'
import { Findings } from '../problems/findings.js'
import type { PrepareTask } from '../protocol/prepare.js'
import { rehearse } from './rehearse.js'

/**
 * {@link rehearse} as a server that requests client certificates if there are trust anchors, even if no server requests
 * them yet: problems of only such a server are recorded, and refuse it when it is attached.
 */
export async function rehearseSet(
  identities: readonly Identity[],
  keys: readonly Uint8Array[],
  { context, requestCert, force, policy: { purpose } }: PrepareTask,
  trust: TrustBlocks | null,
  dhparam: string | null,
  found: Findings,
  requesting: Findings,
): Promise<void> {
  const run = (requestCert: boolean, into: Findings) =>
    rehearse(identities, keys, { context, requestCert, purpose }, trust, dhparam, into)
  if (requestCert) return await run(true, found)
  if (purpose === 'client') return await run(false, found)
  const strict = new Findings(force)
  const canRequest = trust !== null && trust.authorities.length > 0 && !requesting.refused
  if (canRequest) {
    await run(true, strict)
    if (!strict.refused) {
      found.add(strict)
      return
    }
  }
  await run(false, found)
  if (!found.refused) requesting.add(strict)
}
