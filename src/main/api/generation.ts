import type { Problem } from '../../workers/base/problem.js'
import type { CertificateFacts, TrustFacts } from '../../workers/protocol/material.js'

/**
 * What started a pass: the first load, the timer, a call of `reload()`, a signal, the control server, `update()` or `rollback()`.
 */
export type Trigger = 'start' | 'timer' | 'api' | 'signal' | 'control' | 'update' | 'rollback'

/** One state of what is served: frozen, numbered from 1, published by one assignment. A number is never used twice. */
export interface Generation {
  readonly number: number
  /** When it began to serve; ISO 8601 in UTC. */
  readonly since: string
  readonly trigger: Trigger
  /** The generation whose certificates and hosts these are, when it came by a rollback. */
  readonly restored: number | null
  /**
   * The generation whose trust this is, while trust that a rollback restored is in force: then it may differ from the
   * trust files. `null` otherwise, also after a rollback that kept the trust.
   */
  readonly trustRestored: number | null
  /** One for each pair, in the order of the options. */
  readonly certificates: readonly CertificateFacts[]
  readonly trust: TrustFacts
  /** SNI hosts; `null` without the option. */
  readonly hosts: HostFacts | null
  /** What is not well with it, though it can be served. */
  readonly warnings: readonly Problem[]
}

/** The SNI hosts of a generation, taken together. */
export interface HostFacts {
  readonly count: number
  /** The host that is nearest to its end, and that end (ISO 8601 in UTC); `null` without any. */
  readonly soonest:
    | ({ readonly id: string } & Pick<CertificateFacts, 'fingerprint256' | 'notBefore' | 'notAfter'>)
    | null
  /**
   * The host whose chain ends first, and the dates of the certificate that ends; only certificates that clients need count.
   * `null` where no host sends one.
   */
  readonly soonestChain: ({ readonly id: string } & Pick<CertificateFacts, 'notBefore' | 'notAfter'>) | null
}
