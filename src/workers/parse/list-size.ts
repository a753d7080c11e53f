import type { Findings } from '../problems/findings.js'
import type { PrepareTask } from '../protocol/prepare.js'
import type { TrustBlocks } from './trust-blocks.js'

/**
 * Finds `CRL_TOO_LARGE`. Node adds a revocation list to a TLS context in one indivisible native call on the main
 * thread: 22 to 42 ms per MiB on Node 20 to 26. Each verification of a client also hashes the list.
 */
export function judgeListSizes(
  { revocationLists }: TrustBlocks,
  { maxCrlBytes }: PrepareTask['limits'],
  found: Findings,
): void {
  for (const { der, what, path } of revocationLists) {
    if (der.length <= maxCrlBytes) continue
    const message =
      `${what} has ${Math.ceil(der.length / 1024)} KiB, more than the ${maxCrlBytes} bytes of \`worker.maxCrlBytes\`; ` +
      'loading it would block the event loop for 22 to 42 ms per MiB'
    found.refuse('CRL_TOO_LARGE', message, path)
  }
}
