import {
  type HostDelivery,
  type HostRequest,
  type MaterialSource,
  SourceError,
  type SourceReport,
} from '../../src/main/index.js'
import type { Leaf } from '../material/certificates.js'

type Answer = HostDelivery | 'unchanged' | 'none'

/** A source of hosts on demand, whose content and failures a test sets. */
export class HostStore implements MaterialSource {
  readonly name = 'store'
  readonly reports: SourceReport[] = []
  /** Every query: the name, and the version that the engine named. */
  readonly asked: string[] = []
  isClosed = false
  /** Replaces the answers, for example by a failure. */
  answer: ((request: HostRequest) => Answer | Promise<Answer>) | null = null
  readonly #hosts = new Map<string, HostDelivery>()
  #changed: (name?: string) => void = () => {}
  #versions = 0

  /** The current host of a name, without a push. @returns its version */
  put(name: string, leaf: Pick<Leaf, 'chainPem' | 'keyPem'>): string {
    const version = String(++this.#versions)
    this.#hosts.set(name, { version, cert: leaf.chainPem, key: Buffer.from(leaf.keyPem) })
    return version
  }

  remove(name: string): void {
    this.#hosts.delete(name)
  }

  push(name?: string): void {
    this.#changed(name)
  }

  /** From now on, every query fails. */
  fail(code: SourceError['code'] = 'SOURCE_UNREACHABLE'): void {
    this.answer = () => {
      throw new SourceError(code, 'the store is unavailable')
    }
  }

  async read(): Promise<never> {
    throw new SourceError('SOURCE_INVALID', 'this store has hosts only')
  }

  async readHost(request: HostRequest): Promise<Answer> {
    const { name, version } = request
    this.asked.push(`${name} ${version}`)
    if (this.answer) return await this.answer(request)
    const host = this.#hosts.get(name)
    if (!host) return 'none'
    return host.version === version ? 'unchanged' : host
  }

  watch(changed: (name?: string) => void): void {
    this.#changed = changed
  }

  report(report: SourceReport): void {
    this.reports.push(report)
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}
