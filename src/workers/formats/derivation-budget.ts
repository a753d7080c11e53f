/** One derivation, before it is done. */
export interface Work {
  /** In iterations of PBKDF2 with SHA-256. */
  readonly cost: number
  /** For messages, such as `600000 iterations`. */
  readonly effort: string
}

/** Thrown where opening a file would take more work than is allowed. */
export class TooCostly extends Error {}

/**
 * The work that one set of files may ask for to be opened, in iterations of PBKDF2 with SHA-256: three to seven seconds.
 * The highest advice of today is 1.3 million for one key. GnuTLS writes PKCS#12 files with 600,000 iterations for the MAC,
 * and in triple DES for two derivations of each layer, one of which takes two blocks: 18.3 million for a certificate, a CA,
 * a revocation list and a key under a MAC with SHA-512. It is one sum for all keys and all layers of a set, because a PKCS#12
 * file can hold hundreds of keys that each ask for little.
 */
const MOST_UNITS = 18_500_000

/** Counts down what has been derived for one set. */
export class DerivationBudget {
  #left = MOST_UNITS
  #isExceeded = false

  /** Whether a derivation has been refused. */
  get isExceeded(): boolean {
    return this.#isExceeded
  }

  /**
   * To be called where several derivations are known in advance, so that none of them is done if all are too much.
   *
   * @throws TooCostly with the reason as its message.
   */
  assertAllows({ cost, effort }: Work): void {
    if (cost <= this.#left) return
    this.#isExceeded = true
    throw new TooCostly(
      `it asks for ${effort} to open it, and all keys of a set together may ask for as much work as ${MOST_UNITS} ` +
        'iterations of PBKDF2',
    )
  }

  /**
   * To be called before a derivation.
   *
   * @throws TooCostly with the reason as its message.
   */
  spend(work: Work): void {
    this.assertAllows(work)
    this.#left -= work.cost
  }
}
