import type { Delivery, MaterialSource, ReadRequest, SourceReport } from '../../src/main/index.js'
import type { Leaf } from '../material/certificates.js'

type Answer = Delivery | 'unchanged'

/** A source whose answers a test sets. */
export class MemorySource implements MaterialSource {
  readonly name: string = 'memory'
  readonly reports: SourceReport[] = []
  /** Every call of `read`, with the version that the engine named. */
  readonly asked: (string | null)[] = []
  isClosed = false
  /** Replaces the answer. */
  answer: ((request: ReadRequest) => Answer | Promise<Answer>) | null = null
  #delivery: Delivery
  #changed: () => void = () => {}

  constructor(delivery: Delivery) {
    this.#delivery = delivery
  }

  /** The current material, without a push. */
  set(delivery: Delivery): void {
    this.#delivery = delivery
  }

  /** The current material, with a push. */
  push(delivery?: Delivery): void {
    if (delivery) this.#delivery = delivery
    this.#changed()
  }

  async read(request: ReadRequest): Promise<Answer> {
    this.asked.push(request.version)
    if (this.answer) return await this.answer(request)
    return request.version === this.#delivery.version ? 'unchanged' : this.#delivery
  }

  watch(changed: () => void): void {
    this.#changed = changed
  }

  report(report: SourceReport): void {
    this.reports.push(report)
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}

/** A delivery of one pair, as PEM. */
export function deliveryOf(leaf: Leaf, version: string, more: Partial<Delivery> = {}): Delivery {
  return { version, pairs: [{ cert: leaf.chainPem, key: Buffer.from(leaf.keyPem) }], ...more }
}
