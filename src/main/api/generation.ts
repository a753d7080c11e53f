import type { Problem } from '../../workers/base/problem.js'
import type { CertificateFacts, TrustFacts } from '../../workers/protocol/material.js'

/**
 * What started a pass: the first load, the timer, a push of the source, a call of `reload()`, a signal, the control server, `update()` or `rollback()`.
 */
export type Trigger = 'start' | 'timer' | 'source' | 'api' | 'signal' | 'control' | 'update' | 'rollback'

/** One immutable state of all served material, applied as a whole. */
export interface Generation {
  /** From 1, ascending. A number is never reused. */
  readonly number: number
  /** When it was put into service; ISO 8601 in UTC. */
  readonly since: string
  readonly trigger: Trigger
  /** After a rollback, the generation whose certificates and hosts were restored; otherwise `null`. */
  readonly restored: number | null
  /**
   * While trust that a rollback restored is in force, the generation of that trust: it may differ from the trust files.
   * Otherwise `null`, also after a rollback that kept the trust.
   */
  readonly trustRestored: number | null
  /** One for each pair, in the order of the options. */
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
  /** SNI hosts; `null` without the option. */
  readonly hosts: HostFacts | null
  /** Problems that do not prevent service. */
  readonly warnings: readonly Problem[]
}

/** Summary of the SNI hosts of a generation. */
export interface HostFacts {
  readonly count: number
  /** The host whose leaf expires first, with its dates (ISO 8601 in UTC); `null` without hosts. */
  readonly soonest:
    | ({ readonly id: string } & Pick<CertificateFacts, 'fingerprint256' | 'notBefore' | 'notAfter'>)
    | null
  /**
   * The host whose chain expires first, with the dates of the certificate that expires. Includes only chain certificates that
   * clients need; `null` if no host has any.
   */
  readonly soonestChain: ({ readonly id: string } & Pick<CertificateFacts, 'notBefore' | 'notAfter'>) | null
  /** The host whose OCSP response ends first, with its dates; absent if no response has an end. */
  readonly soonestOcsp?: { readonly id: string } & Pick<CertificateFacts, 'notBefore' | 'notAfter'>
}
