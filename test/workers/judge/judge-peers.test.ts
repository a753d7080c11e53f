import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'

import { judgePeers } from '../../../src/workers/judge/judge-peers.js'
import type { JudgePeersTask, PeerChain } from '../../../src/workers/protocol/judge-peers.js'
import { type Authority, createAuthority, selfSigned } from '../../../support/material/certificates.js'
import { derOf } from '../../../support/material/pem-text.js'

const root = createAuthority()
const other = createAuthority()
const intermediate = root.issueAuthority()
const leaf = intermediate.issue()
const full = [leaf.certDer, intermediate.certDer, root.certDer]

test('a chain that leads to an anchor is accepted, whichever part of it is known', () => {
  assert.equal(judged({ anchors: [root], chain: full }), true)
  assert.equal(judged({ anchors: [root], chain: [leaf.certDer, intermediate.certDer] }), true)
  assert.equal(judged({ anchors: [root, intermediate], chain: [leaf.certDer] }), true)
  assert.equal(judged({ anchors: [other, root], chain: full }), true)
})

test('without its root, or with a link that only the previous trust had, a chain leads to no anchor', () => {
  assert.equal(judged({ anchors: [other], chain: full }), false)
  assert.equal(judged({ anchors: [], chain: full }), false)
  assert.equal(judged({ anchors: [root], chain: [leaf.certDer] }), false)
  const former = [root, intermediate]
  assert.equal(judged({ anchors: [root], former, chain: full }), false)
  assert.equal(judged({ anchors: former, former, chain: full }), true)
})

test('an anchor that did not sign itself ends a chain only if that is allowed', () => {
  assert.equal(judged({ anchors: [intermediate], chain: full }), false)
  assert.equal(judged({ anchors: [intermediate], chain: full, partialChain: true }), true)
})

test('a CA with the same name and another key is trusted for no client, one with the same key is', () => {
  const namesake = createAuthority({ name: root.name })
  const renewed = createAuthority({ name: root.name, key: root })
  assert.equal(judged({ anchors: [namesake], chain: full }), false)
  assert.equal(judged({ anchors: [renewed], chain: full }), true)
  assert.equal(judged({ anchors: [namesake, renewed], chain: full }), true)
})

test('a certificate that is its own anchor is accepted, and refused without the anchor', () => {
  const alone = selfSigned()
  assert.equal(judged({ anchors: [alone], chain: [alone.certDer] }), true)
  assert.equal(judged({ anchors: [root], chain: [alone.certDer] }), false)
})

test('a revocation anywhere in the chain refuses the peer, a list of another CA or another number does not', () => {
  const judgedBy = (...lists: string[]) => judged({ anchors: [root], chain: full, lists })
  assert.equal(judgedBy(intermediate.crl()), true)
  assert.equal(judgedBy(intermediate.crl({ revoked: ['0A', leaf.serial] })), false)
  assert.equal(judgedBy(root.crl({ revoked: [intermediate.serial] })), false)
  assert.equal(judgedBy(other.crl({ revoked: [leaf.serial] }), root.crl({ revoked: ['0B'] })), true)
})

test('each peer is judged separately, and one without a chain is refused', () => {
  const task = taskFor({ anchors: [root], chain: full })
  const chains = [full, [other.issue().certDer], [], full].map(chainOf)
  assert.deepEqual(judgePeers({ ...task, chains }), [true, false, false, true])
})

test('a CA that may not issue, or not at this depth, does not count as an issuer', () => {
  const short = createAuthority({ pathLength: 0 })
  const deep = short.issueAuthority().issueAuthority()
  const client = deep.issue()
  assert.equal(judged({ anchors: [short], chain: ders(client.chainPem) }), false)
  const noCa = root.issue({ commonName: 'No CA', key: intermediate })
  const below = createAuthority({ name: 'No CA', key: intermediate }).issue()
  assert.equal(judged({ anchors: [root], chain: [below.certDer, noCa.certDer] }), false)
})

test('certificates that a peer sent count even if they were anchors before; those that Node added do not', () => {
  const former = [root, intermediate]
  const task = taskFor({ anchors: [root], former, chain: full })
  const chains = [true, false].map((completed) => ({ certificates: full, completed }))
  assert.deepEqual(judgePeers({ ...task, chains }), [false, true])
})

test('bytes that are not a certificate cost only their own peer its trust', () => {
  const task = taskFor({ anchors: [root], chain: full })
  const junk = [Buffer.from('3080', 'hex'), Buffer.alloc(0), Buffer.alloc(70_000, 0x30)]
  const chains = [...junk.map((der) => [der]), full, [...full, ...junk]].map(chainOf)
  assert.deepEqual(judgePeers({ ...task, chains }), [false, false, false, true, true])
})

interface Case {
  readonly anchors: readonly Pick<Authority, 'certPem'>[]
  readonly former?: readonly Authority[]
  readonly chain: readonly Uint8Array[]
  readonly lists?: readonly string[]
  readonly partialChain?: boolean
  readonly domains?: Readonly<Record<string, readonly string[]>>
}

function ders(chainPem: string): Buffer[] {
  return chainPem.split(/(?<=-----END CERTIFICATE-----\n)/).map((one) => derOf(one))
}

test('with trust domains, a peer is accepted by an anchor of its own domain alone', () => {
  const domains = { 'example.org': [digestOf(root)], 'other.test': [digestOf(other)] }
  const anchors = [root, other]
  const leafOf = (authority: Authority, ...uris: string[]) => authority.issue({ names: [], uris }).certDer
  const judgedAs = (...chain: Uint8Array[]) => judged({ anchors, chain, domains })
  assert.equal(judgedAs(leafOf(root, 'spiffe://example.org/web'), root.certDer), true)
  assert.equal(judgedAs(leafOf(other, 'spiffe://other.test/web'), other.certDer), true)
  assert.equal(judgedAs(leafOf(other, 'spiffe://example.org/web'), other.certDer), false)
  assert.equal(judgedAs(leafOf(root, 'spiffe://other.test/web'), root.certDer), false)
  assert.equal(judgedAs(leafOf(root, 'spiffe://third.test/web'), root.certDer), false)
  assert.equal(judgedAs(leafOf(root, 'spiffe://__proto__/web'), root.certDer), false)
})

test('with trust domains, a peer without exactly one SPIFFE ID is refused, whatever its issuer', () => {
  const domains = { 'example.org': [digestOf(root)] }
  const judgedAs = (options: Parameters<Authority['issue']>[0]) =>
    judged({ anchors: [root], chain: [root.issue(options).certDer], domains })
  const id = 'spiffe://example.org/web'
  assert.equal(judgedAs({ uris: [id] }), true)
  assert.equal(judgedAs({ names: ['web.test'] }), false)
  assert.equal(judgedAs({ uris: [id, 'spiffe://example.org/db'] }), false)
  assert.equal(judgedAs({ uris: [id, 'https://example.org'] }), false)
  assert.equal(judgedAs({ uris: ['spiffe://EXAMPLE.org/web'] }), false)
  assert.equal(judgedAs({ uris: ['spiffe://example.org:443/web'] }), false)
  assert.equal(judgedAs({ uris: ['https://example.org/web'] }), false)
})

test('with trust domains, an anchor of another domain is no link to the own one, but a cross-signed CA is', () => {
  const domains = { 'example.org': [digestOf(root)], 'other.test': [digestOf(intermediate)] }
  const chain = [intermediate.issue({ names: [], uris: ['spiffe://example.org/web'] }).certDer]
  const judgedWith = (...links: Uint8Array[]) =>
    judged({ anchors: [root, intermediate], chain: [...chain, ...links], domains })
  assert.equal(judgedWith(), false)
  // The own root has signed it: it vouches for what it issues.
  assert.equal(judgedWith(intermediate.certDer), true)
})

test('an anchor in several domains verifies each, and a domain without anchors verifies none', () => {
  const domains = { 'example.org': [digestOf(root)], 'other.test': [digestOf(root)], 'empty.test': [] }
  for (const [domain, verdict] of [
    ['example.org', true],
    ['other.test', true],
    ['empty.test', false],
  ] as const) {
    const { certDer } = root.issue({ names: [], uris: [`spiffe://${domain}/web`] })
    assert.equal(judged({ anchors: [root], chain: [certDer], domains }), verdict, domain)
  }
})

function digestOf({ certDer }: Authority): string {
  return hash('sha256', certDer)
}

function chainOf(certificates: readonly Uint8Array[]): PeerChain {
  return { certificates, completed: true }
}

function judged(one: Case): boolean | null | undefined {
  return judgePeers(taskFor(one))[0]
}

function taskFor({
  anchors,
  former = [],
  chain,
  lists = [],
  partialChain = false,
  domains,
}: Case): JudgePeersTask {
  const bundle = (all: readonly { certPem: string }[]) =>
    all.length === 0 ? null : Buffer.from(all.map(({ certPem }) => certPem).join(''))
  return {
    authorities: bundle(anchors),
    formerAuthorities: bundle(former),
    revocationLists: lists.map((list) => Buffer.from(list)),
    partialChain,
    ...(domains && { domains }),
    chains: [chainOf(chain)],
  }
}
