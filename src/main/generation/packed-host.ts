import { HOST_DATES, type PreparedHost, type PrepareHostsReply } from '../../workers/protocol/hosts.js'
import { type CertificateFacts, PAIR_PARTS, type PreparedPair } from '../../workers/protocol/material.js'
import type { Host } from './host.js'

/** Facts and pairs of all hosts of a batch in one buffer, and their dates in another. */
export type HostPack = Pick<PrepareHostsReply, 'pack' | 'ends' | 'dates'>

/** The facts, then the parts of the pair. */
const PARTS = 1 + PAIR_PARTS.length

/**
 * A host whose facts and pair are parsed from the bytes of its batch on access. Only a few of ten thousand hosts are accessed,
 * and further objects would slow down every garbage collection during the start.
 */
export class PackedHost implements Host {
  readonly id: string
  readonly names: readonly string[]
  readonly notAfter: string
  readonly keyType: string
  readonly stapledLeaf?: string
  readonly #pack: HostPack
  readonly #index: number

  constructor({ id, names, notAfter, keyType, stapledLeaf }: PreparedHost, pack: HostPack, index: number) {
    this.id = id
    this.names = names
    this.notAfter = notAfter
    this.keyType = keyType
    if (stapledLeaf !== undefined) this.stapledLeaf = stapledLeaf
    this.#pack = pack
    this.#index = index
  }

  get dates(): Float64Array {
    return this.#pack.dates
  }

  get datesAt(): number {
    return this.#index * HOST_DATES
  }

  get pair(): PreparedPair {
    const parts = PAIR_PARTS.map((part, i) => [part, this.#part(1 + i)] as const)
    return Object.fromEntries(parts.filter(([, { length }]) => length > 0)) as unknown as PreparedPair
  }

  get facts(): CertificateFacts {
    return JSON.parse(Buffer.from(this.#part(0)).toString()) as CertificateFacts
  }

  #part(which: number): Uint8Array {
    const { pack, ends } = this.#pack
    const i = this.#index * PARTS + which
    return pack.subarray(i === 0 ? 0 : ends[i - 1], ends[i])
  }
}
