import { RecentMap } from '../../base/recent-map.js'

/** More names only lose the protection below. */
const MAX_NAMES = 20_000

/**
 * The newest revision of each host that this process received. A store that has no hash of such a name any more, or an earlier
 * withdrawal, is a replica that lags or has lost data.
 */
export class ReceivedHosts {
  readonly #revisions = new RecentMap<string, bigint>(MAX_NAMES)

  has(name: string): boolean {
    return this.#revisions.has(name)
  }

  /** Whether material of a newer revision was received. Without a revision, nothing is known. */
  isNewer(name: string, revision: bigint | null): boolean {
    return revision !== null && revision < (this.#revisions.get(name) ?? -1n)
  }

  add(name: string, revision: bigint): void {
    const newest = this.#revisions.get(name) ?? -1n
    this.#revisions.set(name, revision > newest ? revision : newest)
  }

  /** For a name that was withdrawn: that its hash is missing means nothing more. */
  delete(name: string): void {
    this.#revisions.delete(name)
  }
}
