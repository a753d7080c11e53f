import { RecentMap } from '../../base/recent-map.js'

/** More names only cost complete answers where 304 would do. */
const MAX_NAMES = 20_000

/**
 * The last version that this process received, by server name, or `null` for the identity. Only such a version is sent back as
 * `If-None-Match`: a version of an earlier process may belong to another URL or client, where the same entity tag means
 * something else.
 */
export class DeliveredVersions {
  readonly #versions = new RecentMap<string | null, string>(MAX_NAMES)

  has(name: string | null, version: string | null): boolean {
    return version !== null && this.#versions.get(name) === version
  }

  set(name: string | null, version: string): void {
    this.#versions.set(name, version)
  }
}
