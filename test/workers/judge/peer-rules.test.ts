import assert from 'node:assert/strict'
import { createHash, type KeyObject } from 'node:crypto'
import { test } from 'node:test'

import fc from 'fast-check'

import { peerNamesOf } from '../../../src/workers/formats/peer-names.js'
import { type PeerRule, peerRuleIn, peerRuleOf } from '../../../src/workers/formats/peer-rules.js'
import { PeerRules, packRules } from '../../../src/workers/judge/peer-rules.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { bmp, oid, sequence, set, utf8 } from '../../../support/material/der.js'
import { type AlternativeNames, subjectAltName } from '../../../support/material/extensions.js'
import { keyPair, signerOf } from '../../../support/material/keys.js'
import { distinguishedName, randomSerial, signCertificate } from '../../../support/material/x509.js'

const pair = keyPair()
const authority = createAuthority()

/** Certificates by what they claim, and the rules that name them and that do not. */
const CASES: readonly {
  readonly what: string
  readonly names?: AlternativeNames
  readonly subject?: Buffer
  readonly named: readonly PeerRule[]
  readonly notNamed: readonly PeerRule[]
}[] = [
  {
    what: 'a SPIFFE ID',
    names: { uris: ['spiffe://example.org/ns/prod/web'] },
    named: [{ uri: 'spiffe://example.org/ns/prod/web' }, { uri: 'spiffe://example.org/ns/prod/*' }],
    notNamed: [
      { uri: 'spiffe://example.org/ns/prod' },
      { uri: 'spiffe://example.org/ns/*' },
      { uri: 'spiffe://example.org/*' },
      { uri: 'spiffe://example.org/ns/prod/we' },
      { uri: 'spiffe://example.org/ns/prod/web/' },
      { uri: 'spiffe://example.org/ns/prod/Web' },
      { uri: 'spiffe://other.test/ns/prod/web' },
      { dns: 'example.org' },
      { cn: 'spiffe://example.org/ns/prod/web' },
    ],
  },
  {
    what: 'a URI in upper case',
    names: { uris: ['SPIFFE://EXAMPLE.ORG/web'] },
    named: [],
    notNamed: [{ uri: 'spiffe://example.org/web' }, { uri: 'spiffe://example.org/*' }],
  },
  {
    what: 'a URI with NUL',
    names: { uris: ['spiffe://example.org/web\0.evil.test', 'urn:a\0b'] },
    named: [],
    notNamed: [{ uri: 'spiffe://example.org/web' }, { uri: 'spiffe://example.org/*' }, { uri: 'urn:a' }],
  },
  {
    what: 'two SPIFFE IDs',
    names: { uris: ['spiffe://example.org/web', 'spiffe://example.org/admin'] },
    named: [],
    notNamed: [{ uri: 'spiffe://example.org/web' }, { uri: 'spiffe://example.org/admin' }],
  },
  {
    what: 'a SPIFFE ID and another URI',
    names: { uris: ['spiffe://example.org/web', 'urn:uuid:1'] },
    named: [{ uri: 'urn:uuid:1' }],
    notNamed: [{ uri: 'spiffe://example.org/web' }, { uri: 'spiffe://example.org/*' }],
  },
  {
    what: 'paths that a client could normalize',
    names: {
      uris: [
        'https://a.test/x/..',
        'https://a.test/x/.',
        'https://a.test/x/%2e%2e',
        'https://a.test/x/b?q',
        'https://a.test/x/b#f',
      ],
    },
    named: [{ uri: 'https://a.test/x/..' }],
    notNamed: [{ uri: 'https://a.test/x/*' }, { uri: 'https://a.test/*' }, { uri: 'https://a.test/x/b' }],
  },
  {
    what: 'an empty last segment',
    names: { uris: ['https://a.test/x/'] },
    named: [{ uri: 'https://a.test/x/' }],
    notNamed: [{ uri: 'https://a.test/x/*' }, { uri: 'https://a.test/*' }, { uri: 'https://a.test/x' }],
  },
  {
    what: 'a wildcard in a URI',
    names: { uris: ['https://a.test/x/*'] },
    named: [],
    notNamed: [{ uri: 'https://a.test/x/*' }, { uri: 'https://a.test/x/b' }],
  },
  {
    what: 'a DNS name',
    names: { names: ['Web.Example.org'] },
    named: [{ dns: 'web.example.org' }, { dns: 'WEB.example.ORG' }, { dns: '*.example.org' }],
    notNamed: [
      { dns: 'example.org' },
      { dns: '*.org' },
      { dns: '*.web.example.org' },
      { dns: 'eb.example.org' },
      { cn: 'web.example.org' },
      { uri: 'https://web.example.org' },
    ],
  },
  {
    what: 'a wildcard DNS name',
    names: { names: ['*.example.org'] },
    named: [],
    notNamed: [{ dns: '*.example.org' }, { dns: 'web.example.org' }, { dns: '*.org' }],
  },
  {
    what: 'a DNS name with a trailing dot',
    names: { names: ['web.example.org.'] },
    named: [],
    notNamed: [{ dns: 'web.example.org' }, { dns: '*.example.org' }],
  },
  {
    what: 'a DNS name with NUL',
    names: { names: ['web.example.org\0.evil.test', 'web\0.example.org'] },
    named: [],
    notNamed: [{ dns: 'web.example.org' }, { dns: '*.example.org' }, { dns: '*.test' }],
  },
  {
    what: 'a DNS name with spaces and commas',
    names: { names: ['a, DNS:web.example.org', ' web.example.org', 'web.example.org '] },
    named: [],
    notNamed: [{ dns: 'web.example.org' }, { dns: '*.example.org' }],
  },
  {
    what: 'a DNS name in the subject only',
    subject: distinguishedName('web.example.org'),
    named: [{ cn: 'web.example.org' }],
    notNamed: [{ dns: 'web.example.org' }, { dns: '*.example.org' }],
  },
  {
    what: 'a common name',
    subject: distinguishedName('client 7'),
    named: [{ cn: 'client 7' }],
    notNamed: [{ cn: 'Client 7' }, { cn: 'client' }, { cn: 'client 7 ' }],
  },
  {
    what: 'a common name in UTF-16',
    subject: sequence(set(sequence(oid('2.5.4.3'), bmp('Zoë')))),
    named: [{ cn: 'Zoë' }],
    notNamed: [{ cn: 'Zoe' }],
  },
  {
    what: 'a common name with NUL',
    subject: distinguishedName('admin\0.evil'),
    named: [],
    notNamed: [{ cn: 'admin' }],
  },
  {
    what: 'two common names',
    subject: sequence(...['admin', 'web'].map((name) => set(sequence(oid('2.5.4.3'), utf8(name))))),
    named: [],
    notNamed: [{ cn: 'admin' }, { cn: 'web' }],
  },
  {
    what: 'two common names in one set',
    subject: sequence(set(...['admin', 'web'].map((name) => sequence(oid('2.5.4.3'), utf8(name))))),
    named: [],
    notNamed: [{ cn: 'admin' }, { cn: 'web' }],
  },
  {
    what: 'an organization that looks like a common name',
    subject: sequence(
      set(sequence(oid('2.5.4.10'), utf8('x, CN=admin'))),
      set(sequence(oid('2.5.4.3'), utf8('guest/CN=admin'))),
    ),
    named: [{ cn: 'guest/CN=admin' }],
    notNamed: [{ cn: 'admin' }, { cn: 'x, CN=admin' }, { cn: 'guest' }],
  },
]

for (const { what, names = {}, subject, named, notNamed } of CASES) {
  test(`${what}: exactly the rules for it name the certificate`, () => {
    const der = certificate(names, subject)
    for (const rule of named) assert.ok(admits([rule], der), JSON.stringify(rule))
    for (const rule of notNamed) assert.ok(!admits([rule], der), JSON.stringify(rule))
    assert.equal(admits([...notNamed, ...named], der), named.length > 0)
  })
}

test('a key is named by its digest in each usual form, and no other key is', () => {
  const der = certificate({ names: ['a.example'] })
  const digest = createHash('sha256').update(spkiOf(pair.publicKey)).digest()
  const hex = digest.toString('hex')
  const forms = [
    ...[hex, hex.toUpperCase(), hex.replaceAll(/..(?!$)/g, '$&:'), `sha256:${hex}`],
    ...[digest.toString('base64'), `sha256/${digest.toString('base64')}`],
  ]
  for (const spki of forms) assert.ok(admits([{ spki }], der), spki)
  const other = createHash('sha256').update(spkiOf(keyPair().publicKey)).digest('hex')
  assert.ok(!admits([{ spki: other }], der))
})

test('a certificate whose names cannot be read is named by no rule, not even by its key', () => {
  const spki = createHash('sha256').update(spkiOf(pair.publicKey)).digest('hex')
  const twice = [
    ...subjectAltName({ names: ['a.example'] }, false),
    ...subjectAltName({ names: ['b.example'] }, false),
  ]
  const broken = [
    certificateWith(twice),
    certificateWith([], sequence(set(sequence(oid('2.5.4.3'), Buffer.from([0x0c, 2, 0xff, 0xfe]))))),
    Buffer.from('no certificate'),
    Buffer.alloc(0),
  ]
  for (const der of broken) assert.ok(!admits([{ spki }, { dns: 'a.example' }], der))
})

/** Values that are refused when the options are validated. */
const INVALID: readonly unknown[] = [
  ...[null, 'uri', {}, [], { uri: 'a:b', dns: 'a.example' }, { name: 'x' }, { uri: 7 }, { __proto__: null }],
  ...['', 'web', '*', 'spiffe:*', 'spiffe://*', 'https://*', 'spiffe://*/web', 'spiffe://example.org/w*'].map(
    (uri) => ({ uri }),
  ),
  ...['spiffe://example.org/*/web', 'spiffe://example.org/**', 'urn:a:*', 'spiffe://example.org/a b'].map(
    (uri) => ({ uri }),
  ),
  ...[
    'https://a.test/x?y/*',
    'spiffe://example.org/\u00fc',
    'spiffe://example.org/\0',
    `a:${'b'.repeat(3000)}`,
  ].map((uri) => ({ uri })),
  ...[
    '',
    '*',
    '*.',
    '*.*.example.org',
    'web.*.org',
    'w*.example.org',
    'web.example.org.',
    '.example.org',
  ].map((dns) => ({ dns })),
  ...['a b', 'a\0b', 'a..b', '-a.example', `${'a.'.repeat(200)}example`].map((dns) => ({ dns })),
  ...['', '*', 'web*', 'a\nb', 'a\0b', 'x'.repeat(300)].map((cn) => ({ cn })),
  ...['', 'ab', 'g'.repeat(64), 'a'.repeat(63), `${'A'.repeat(43)}`].map((spki) => ({ spki })),
]

for (const given of INVALID) {
  test(`the rule ${JSON.stringify(given)?.slice(0, 60)} is refused`, () => {
    const read = peerRuleIn(given)
    assert.ok('expected' in read && read.expected.startsWith('expected '))
  })
}

test('a Unicode name is the same rule as its ASCII form', () => {
  assert.deepEqual(peerRuleIn({ dns: 'bücher.example' }), { rule: 'dns xn--bcher-kva.example' })
})

test('a rule is equal to the rule of its normal form', () => {
  const kinds = fc.constantFrom('uri', 'dns', 'cn', 'spki')
  fc.assert(
    fc.property(kinds, fc.string({ unit: 'grapheme' }), (kind, value) => {
      const read = peerRuleIn({ [kind]: value })
      if (!('rule' in read)) return
      assert.deepEqual(peerRuleIn(peerRuleOf(read.rule)), read)
      assert.ok(!read.rule.includes('\n'))
    }),
  )
})

test('no rule with `*` names a path of another depth or a longer name', () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,8}$/).filter((text) => text !== '.' && text !== '..')
  fc.assert(
    fc.property(
      fc.array(segment, { minLength: 1, maxLength: 4 }),
      fc.array(segment, { maxLength: 4 }),
      (path, rule) => {
        const names = { uris: [`spiffe://a.test/${path.join('/')}`], dns: [], commonName: null, spki: '' }
        const pattern = ['spiffe://a.test', ...rule, '*'].join('/')
        const isNamed = rulesOf([{ uri: pattern }]).ruleFor(names) !== null
        assert.equal(isNamed, rule.length === path.length - 1 && rule.every((one, i) => one === path[i]))
      },
    ),
  )
})

test('rules are the same in any order, and with duplicates', () => {
  const one = packRules(['dns a.example', 'uri urn:b', 'dns a.example'])
  assert.equal(one, packRules(['uri urn:b', 'dns a.example']))
  assert.equal(PeerRules.of(Buffer.from(one)).size, 2)
})

function admits(rules: readonly PeerRule[], der: Uint8Array): boolean {
  return rulesOf(rules).admits(der)
}

function rulesOf(rules: readonly PeerRule[]): PeerRules {
  const texts = rules.map((rule) => {
    const read = peerRuleIn(rule)
    assert.ok('rule' in read, JSON.stringify(rule))
    return read.rule
  })
  return PeerRules.of(Buffer.from(packRules(texts)))
}

function certificate(names: AlternativeNames, subject?: Buffer): Buffer {
  const der = certificateWith(subjectAltName(names, false), subject)
  // The certificates of this test can be read.
  peerNamesOf(der)
  return der
}

function certificateWith(extensions: readonly Buffer[], subject: Buffer = distinguishedName('')): Buffer {
  const [notBefore, notAfter] = [-1, 1].map((hours) => new Date(Date.now() + hours * 3_600_000)) as [
    Date,
    Date,
  ]
  const issuer = distinguishedName(authority.name)
  const fields = {
    issuer,
    subject,
    serial: randomSerial(),
    notBefore,
    notAfter,
    publicKey: pair.publicKey,
    extensions,
  }
  return signCertificate(fields, signerOf(authority.privateKey))
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' })
}
