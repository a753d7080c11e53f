import type { Duplex } from 'node:stream'
import type tls from 'node:tls'

import { fingerprint256Of } from '../../workers/parse/facts.js'
import type { OcspFacts } from '../../workers/protocol/material.js'
import type { Clock } from '../base/clock.js'
import type { Snapshot } from '../generation/generation.js'
import type { Host } from '../generation/host.js'
import { keyFamilyOf } from '../generation/key-family.js'
import { addedNames, mixesKeyTypes, rawSocketOf, sniCallbackOf } from '../generation/native-context.js'

const EVENT = 'OCSPRequest'

/** Node's time limit of a handshake, unless the server was created with another `handshakeTimeout`. */
const MAX_HANDSHAKE_MS = 120_000

/** An unknown leaf: the context is not one of the engine. */
const OTHER = ''

interface StapledServer {
  /** Whether the application has put another context into the server. */
  readonly isReplaced: () => boolean
  readonly answer: (leaf: Buffer, issuer: Buffer, respond: Respond) => void
  isListening: boolean
  /** Connections whose handshake has not ended, with the leaf that they receive if they name no host. */
  readonly pending: Map<Duplex, string>
  /** When every connection that was accepted before this server was followed has ended its handshake. */
  readonly knownFromMs: number
}

/** Node accepts `null` for no response, although its type does not allow it. */
type Respond = (error: Error | null, response: Buffer) => void

/**
 * Staples OCSP responses to the handshakes of attached servers.
 *
 * A response must never reach a client with another leaf than its own. Node's event `OCSPRequest` gives a leaf, but that of
 * the server at that moment: a connection that was accepted before a renewal still receives the earlier leaf. So nothing is
 * stapled while a handshake under another leaf may be unfinished. With several pairs, the event gives the last pair, not the
 * one that the client receives, so nothing is stapled.
 */
export class Stapling {
  readonly #snapshot: () => Snapshot
  readonly #clock: Clock
  readonly #servers = new Map<tls.Server, StapledServer>()
  readonly #former = new WeakSet<tls.Server>()

  constructor(current: () => Snapshot, clock: Clock) {
    this.#snapshot = current
    this.#clock = clock
  }

  /** Answers OCSP requests to a server; returns a function that stops this. */
  follow(server: tls.Server, isReplaced: () => boolean): () => void {
    const isUnknown = server.listening && (this.#former.has(server) || picksContexts(server))
    const followed: StapledServer = {
      isReplaced,
      answer: (leaf, _issuer, respond) => this.#answer(server, leaf, respond),
      isListening: false,
      pending: new Map(),
      knownFromMs: isUnknown ? this.#clock.monotonicMs() + MAX_HANDSHAKE_MS : 0,
    }
    const begin = (raw: Duplex) => this.#begin(followed, raw)
    const end = (socket: tls.TLSSocket) => {
      const raw = rawSocketOf(socket)
      if (raw) followed.pending.delete(raw)
    }
    this.#servers.set(server, followed)
    server.on('connection', begin).prependListener('secureConnection', end)
    this.#listen(server, followed)
    return () => {
      server.off('connection', begin).off('secureConnection', end).off(EVENT, followed.answer)
      this.#servers.delete(server)
      this.#former.add(server)
    }
  }

  /** Call it after each change of the generation. The listener is added only when there are responses, because it slows each handshake. */
  update(): void {
    for (const [server, followed] of this.#servers) this.#listen(server, followed)
  }

  /** Whether the application answers the requests of a server itself. */
  isAnsweredElsewhere(server: tls.Server): boolean {
    return server.listenerCount(EVENT) > (this.#servers.get(server)?.isListening ? 1 : 0)
  }

  /** Why the engine's OCSP responses are not stapled on a server; `null` if they are. */
  whyNotStapled(server: tls.Server): string | null {
    if (!hasResponses(this.#snapshot()) || !this.isAnsweredElsewhere(server)) return null
    return 'the server has its own listener for OCSPRequest, which replaces that of the engine: remove it, so that the OCSP responses of the engine are stapled'
  }

  #listen(server: tls.Server, followed: StapledServer): void {
    const isWanted = hasResponses(this.#snapshot())
    if (isWanted === followed.isListening) return
    followed.isListening = isWanted
    if (isWanted) server.on(EVENT, followed.answer)
    else server.off(EVENT, followed.answer)
  }

  #begin({ pending, isReplaced }: StapledServer, raw: Duplex): void {
    if (raw.closed) return
    pending.set(raw, isReplaced() ? OTHER : leafOf(this.#snapshot()))
    raw.once('close', () => pending.delete(raw))
  }

  #answer(server: tls.Server, leaf: Buffer, respond: Respond): void {
    // Node takes one answer. A listener of the application was added on purpose.
    if (this.isAnsweredElsewhere(server)) return
    respond(null, this.#responseFor(server, leaf) as Buffer)
  }

  #responseFor(server: tls.Server, der: Buffer): Buffer | null {
    const snapshot = this.#snapshot()
    const { generation, material, hosts } = snapshot
    const [first] = generation.certificates
    const leaf = fingerprint256Of(der)
    if (leaf === first?.fingerprint256) {
      const isOnly = generation.certificates.length === 1 && this.#isShown(server, leaf)
      return isOnly ? this.#inForce(material.pairs[0]?.ocsp, first.ocsp) : null
    }
    const host = hosts.stapled.get(leaf)
    return host && this.#isHostShown(server, host) ? this.#inForce(host.pair.ocsp, host.facts.ocsp) : null
  }

  /** Whether no unfinished handshake can receive another default leaf. */
  #isShown(server: tls.Server, leaf: string): boolean {
    const followed = this.#servers.get(server)
    if (!followed || this.#clock.monotonicMs() < followed.knownFromMs) return false
    for (const other of followed.pending.values()) if (other !== leaf) return false
    return true
  }

  /** Before Node 24, a host whose key is of another type does not replace the default certificate. */
  #isHostShown(server: tls.Server, { keyType }: Host): boolean {
    if (!mixesKeyTypes()) return true
    const { certificates } = this.#snapshot().generation
    const [first] = certificates
    if (!first || certificates.length > 1 || keyFamilyOf(first.keyType) !== keyFamilyOf(keyType)) return false
    return this.#isShown(server, first.fingerprint256)
  }

  /** The response, if it is current now. */
  #inForce(response: Uint8Array | undefined, facts: OcspFacts | undefined): Buffer | null {
    if (!response || !facts) return null
    const { policy } = this.#snapshot().options
    const nowMs = this.#clock.wallMs()
    if (Date.parse(facts.thisUpdate) - policy.clockSkewSeconds * 1000 > nowMs) return null
    if (facts.nextUpdate !== null && Date.parse(facts.nextUpdate) <= nowMs) return null
    return Buffer.from(response.buffer, response.byteOffset, response.byteLength)
  }
}

function hasResponses({ material, hosts }: Snapshot): boolean {
  return hosts.stapled.size > 0 || material.pairs.some(({ ocsp }) => ocsp !== undefined)
}

function leafOf({ generation }: Snapshot): string {
  const [first, ...others] = generation.certificates
  return first && others.length === 0 ? first.fingerprint256 : OTHER
}

/** Whether Node asks for a context before it emits the event, so that it emits it for connections that were accepted without a listener. */
function picksContexts(server: tls.Server): boolean {
  return sniCallbackOf(server) !== null || addedNames(server).length > 0
}
