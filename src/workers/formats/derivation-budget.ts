/** Cost of one key derivation. */
export interface Work {
  /** In iterations of PBKDF2 with SHA-256. */
  readonly cost: number
  /** For messages, for example `600000 iterations`. */
  readonly effort: string
}

/** Thrown when decrypting would exceed the budget. */
export class TooCostly extends Error {}

/**
 * Budget of one set of files, in iterations of PBKDF2 with SHA-256: three to seven seconds. Current advice is at most
 * 1.3 million per key. GnuTLS writes PKCS#12 files with 600,000 iterations for the MAC and, with triple DES, two
 * derivations per layer, one of two blocks: 18.3 million for a certificate, a CA, a revocation list and a key under a
 * SHA-512 MAC. All keys and layers of a set share the budget, because a PKCS#12 file can hold hundreds of cheap keys.
 */
const MAX_UNITS = 18_500_000

/** Tracks the derivation cost of one set. */
export class DerivationBudget {
  #left = MAX_UNITS
  #isExceeded = false

  /** Whether a derivation has been refused. */
  get isExceeded(): boolean {
    return this.#isExceeded
  }

  /**
   * Call this when several derivations are known in advance, so that none is done if their total is too high.
   *
   * @throws TooCostly with the reason as its message.
   */
  assertAllows({ cost, effort }: Work): void {
    if (cost <= this.#left) return
    this.#isExceeded = true
    throw new TooCostly(
      `opening it requires ${effort}; all keys of a set together may require at most the work of ${MAX_UNITS} ` +
        'iterations of PBKDF2',
    )
  }

  /**
   * Call this before each derivation.
   *
   * @throws TooCostly with the reason as its message.
   */
  spend(work: Work): void {
    this.assertAllows(work)
    this.#left -= work.cost
  }
}
