import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { EngineChanges, ReloadEngineOptions } from '../../../src/main/api/options.js'
import { ReloadError } from '../../../src/main/base/errors.js'
import { assertInterval, mergeChanges, resolveOptions } from '../../../src/main/engine/resolve-options.js'
import { sharedBytes } from '../../../src/workers/base/shared-json.js'
import { assertFrozen } from '../../../support/base/frozen.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'

const pair = { cert: 'tls.crt', key: 'tls.key' }
const { debug, info } = recordingLogger()

/** The input, and the parts that the message must contain: the option, the expected and the received value. */
const refusals: [what: string, options: unknown, ...parts: RegExp[]][] = [
  ['nothing', undefined, /`options`/, /expected object/, /got undefined/],
  ['null', null, /`options`/, /expected object/, /got null/],
  ['an array', [], /`options`/, /expected object/, /got an array/],
  ['no pair', {}, /`cert`: expected a path/, /`key`: expected a path/],
  ['a certificate without a key', { cert: 'tls.crt' }, /`key`: expected a path/],
  ['a key without a certificate', { key: 'tls.key' }, /`cert`: expected a path/],
  ['a misspelled option', { ...pair, crt: 'x' }, /unknown option `crt`/],
  ['two unknown options', { ...pair, a: 1, b: 2 }, /`a`, `b`/],
  ['an unknown TLS option', { ...pair, tls: { minVerson: 'TLSv1.3' } }, /`tls`: unknown option `minVerson`/],
  ['an unknown policy', { ...pair, policy: { expire: 'warn' } }, /`policy`: unknown option `expire`/],
  ['an unknown limit', { ...pair, worker: { timeout: 5 } }, /`worker`: unknown option `timeout`/],
  ['an unknown ticket option', { ...pair, tickets: { file: 'x' } }, /`tickets`: unknown option `file`/],
  ['a path that is a number', { ...pair, cert: 5 }, /`cert`: expected a path/, /got 5 \(number\)/],
  ['an empty path', { ...pair, key: '' }, /`key`: expected a path/, /got "" \(string\)/],
  ['a path that is a Buffer', { ...pair, key: Buffer.from('x') }, /`key`: expected a path/, /got an object/],
  ['an array without paths', { cert: [], key: [] }, /`cert`/, />=1/, /got an array of 0/],
  ['a number among paths', { cert: ['a', 5], key: ['a', 'b'] }, /`cert`: expected a path/, /an array of 2/],
  ['more keys than certificates', { cert: ['a'], key: ['b', 'c'] }, /`key`/, /as many .*\(1\)/, /got 2/],
  ['fewer keys than certificates', { cert: ['a', 'b'], key: 'c' }, /`key`/, /as many .*\(2\)/, /got 1/],
  ['a PKCS#12 file beside a certificate', { ...pair, pfx: 'x' }, /`pfx`: expected either `pfx`, or/],
  ['a PKCS#12 file beside a key', { pfx: 'x', key: 'y' }, /`pfx`: expected either `pfx`, or/],
  ['a PKCS#12 path that is a list', { pfx: ['x'] }, /`pfx`: expected string/, /got an array of 1/],
  ['requestCert without anchors', { ...pair, requestCert: true }, /`requestCert`: expected `ca` or `caDir`/],
  ['crl without anchors', { ...pair, crl: 'x' }, /`crl`: expected `ca` or `caDir`/],
  ['requestCert as text', { ...pair, requestCert: 'yes' }, /`requestCert`: expected boolean/, /got "yes"/],
  ['an interval that is NaN', { ...pair, autoReloadInterval: Number.NaN }, /`autoReloadInterval`/, /got NaN/],
  ['an interval as text', { ...pair, autoReloadInterval: '5' }, /expected number/, /got "5" \(string\)/],
  ['a negative interval', { ...pair, autoReloadInterval: -1 }, /`autoReloadInterval`/, />=0/, /got -1/],
  ['an infinite interval', { ...pair, autoReloadInterval: Number.POSITIVE_INFINITY }, /got Infinity/],
  [
    'an interval over the limit',
    { ...pair, autoReloadInterval: 2_147_483_648 },
    /<=2147483647/,
    /2147483648/,
  ],
  ['an interval that is null', { ...pair, autoReloadInterval: null }, /expected number/, /got null/],
  [
    'an interval that is a bigint',
    { ...pair, autoReloadInterval: 5n },
    /expected number/,
    /got 5 \(bigint\)/,
  ],
  ['an old version of TLS', { ...pair, tls: { minVersion: 'TLSv1.1' } }, /`tls.minVersion`/, /got "TLSv1.1"/],
  [
    'a minimum version above the maximum',
    { ...pair, tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } },
    /`tls`: expected `minVersion` not to be above `maxVersion`/,
  ],
  [
    'an unsupported compression',
    { ...pair, tls: { certificateCompression: ['gzip'] } },
    /`tls.certificateCompression.0`/,
    /got "gzip"/,
  ],
  [
    'a compression named twice',
    { ...pair, tls: { certificateCompression: ['zlib', 'zlib'] } },
    /`tls.certificateCompression`: expected each algorithm once/,
  ],
  [
    'an empty list of compressions',
    { ...pair, tls: { certificateCompression: [] } },
    /`tls.certificateCompression`/,
    />=1/,
  ],
  ['material among the TLS options', { ...pair, tls: { cert: 'x' } }, /`tls`: unknown option `cert`/],
  [
    'a session timeout of a year',
    { ...pair, tls: { sessionTimeout: 31_536_000 } },
    /`tls.sessionTimeout`/,
    /86400/,
  ],
  [
    'an unknown verdict',
    { ...pair, policy: { expired: 'no' } },
    /`policy.expired`/,
    /"reject"\|"warn"/,
    /"no"/,
  ],
  [
    'names as text',
    { ...pair, policy: { requiredNames: 'a' } },
    /`policy.requiredNames`: expected array/,
    /"a"/,
  ],
  ['an empty name', { ...pair, policy: { requiredNames: ['a', ''] } }, /`policy.requiredNames.1`/, /got ""/],
  [
    'a grace period of a week',
    { ...pair, policy: { pairGraceSeconds: 604_800 } },
    /`policy.pairGraceSeconds`/,
    /86400/,
  ],
  [
    'a timeout with a fraction',
    { ...pair, worker: { timeoutMs: 10.5 } },
    /`worker.timeoutMs`: expected int/,
    /10.5/,
  ],
  ['a timeout that is NaN', { ...pair, worker: { timeoutMs: Number.NaN } }, /`worker.timeoutMs`/, /got NaN/],
  ['a timeout of zero', { ...pair, worker: { timeoutMs: 9 } }, /`worker.timeoutMs`/, />=10/, /got 9/],
  ['a timeout over the timer’s limit', { ...pair, worker: { timeoutMs: 2 ** 31 } }, /<=2147483647/],
  ['too little memory', { ...pair, worker: { memoryLimitMb: 5 } }, /`worker.memoryLimitMb`/, />=32/, /got 5/],
  [
    'a file size limit of zero',
    { ...pair, worker: { maxFileBytes: 0 } },
    /`worker.maxFileBytes`/,
    />=1/,
    /got 0/,
  ],
  ['an unlimited history', { ...pair, historySize: 101 }, /`historySize`/, /<=100/, /got 101/],
  [
    'keys that rotate permanently',
    { ...pair, tickets: { rotateHours: 0 } },
    /`tickets.rotateHours`/,
    />=1/,
    /got 0/,
  ],
  [
    'a negative number of days',
    { ...pair, expiryWarningDays: [-1] },
    /`expiryWarningDays.0`/,
    />=0/,
    /got -1/,
  ],
  [
    'a logger that lacks methods',
    { ...pair, logger: { debug, info } },
    /`logger.warn`.*function/,
    /`logger.error`/,
  ],
  [
    'a logger that is a function',
    { ...pair, logger: () => 'x' },
    /`logger`: expected object/,
    /got a function/,
  ],
  ['an empty passphrase', { ...pair, passphrase: '' }, /`passphrase`: expected/],
]

for (const [what, options, ...parts] of refusals) {
  test(`${what}: refused with the option, the expected and the received value`, () => {
    const error = refusalOf(() => resolveOptions(options as ReloadEngineOptions))
    for (const part of parts) assert.match(error.message, part)
  })
}

test('all problems are reported at once', () => {
  const { message } = refusalOf(() =>
    resolveOptions({ cert: 5, autoReloadInterval: -1, worker: { timeoutMs: 1 }, typo: 1 } as never),
  )
  for (const name of ['`cert`', '`autoReloadInterval`', '`worker.timeoutMs`', '`typo`']) {
    assert.ok(message.includes(name), message)
  }
})

test('no message holds a passphrase, whatever is wrong with it', () => {
  const secret = 'hunter2 hunter2'
  for (const passphrase of [
    [secret],
    { file: [secret] },
    { fiel: secret },
    { file: 'x', value: secret },
    { value: secret },
    Buffer.from(secret),
    new String(secret),
  ]) {
    const { message } = refusalOf(() => resolveOptions({ ...pair, passphrase } as never))
    assert.match(message, /`passphrase`/)
    assert.ok(!message.includes(secret), message)
  }
  const other = refusalOf(() => resolveOptions({ ...pair, passphrase: secret, worker: { timeoutMs: 1 } }))
  assert.ok(!other.message.includes(secret))
})

test('PEM in place of a path is refused and not repeated: it may be a private key', () => {
  const pem = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n'
  for (const options of [
    { ...pair, key: pem },
    { cert: ['a', pem], key: ['a', pem] },
    { pfx: pem },
    { ...pair, ca: pem },
    { ...pair, dhparam: pem },
    { ...pair, passphrase: { file: pem } },
    { ...pair, tickets: { secretFile: pem } },
    { ...pair, requestCert: pem },
    { ...pair, policy: { expired: pem } },
    { ...pair, worker: { timeoutMs: pem } },
  ]) {
    const { message } = refusalOf(() => resolveOptions(options as never))
    assert.ok(!message.includes('c2VjcmV0'), message)
  }
})

test('long text is not repeated either', () => {
  const long = 'x'.repeat(500)
  const { message } = refusalOf(() => resolveOptions({ ...pair, requestCert: long } as never))
  assert.ok(!message.includes(long))
  assert.match(message, /a string of 500 characters/)
})

test('`lastGood` is resolved with its defaults, and needs a source', () => {
  const source = { name: 'etcd', read: async () => 'unchanged' as const }
  const { lastGood } = resolveOptions({ source, lastGood: { dir: '/kept' } })
  assert.deepEqual(lastGood, { dir: '/kept', keyFile: null, afterSeconds: 5 })
  for (const given of [
    { dir: '' },
    { dir: '/kept', afterSeconds: 0 },
    { dir: '/kept', key: '/key' },
    '/kept',
    {},
  ])
    refusalOf(() => resolveOptions({ source, lastGood: given as never }))
  assert.match(refusalOf(() => resolveOptions({ ...pair, lastGood: { dir: '/kept' } })).message, /`source`/)
})

test('a missing option has the documented default', () => {
  assert.deepEqual(resolveOptions(pair), {
    sources: {
      pairs: [pair],
      pfx: null,
      passphrase: null,
      peerRules: null,
      ca: [],
      publicRoots: [],
      caDir: [],
      crl: [],
      dhparam: null,
      ocsp: null,
      ticketSecret: null,
      source: null,
    },
    context: {},
    peers: { requestCert: false, rejectUnauthorized: true },
    hosts: null,
    onDemand: null,
    unknownHosts: 'default',
    hostCacheSize: 1000,
    autoReloadInterval: 0,
    policy: {
      badOcsp: 'warn',
      expired: 'reject',
      notYetValid: 'reject',
      clockSkewSeconds: 30,
      incompleteChain: 'warn',
      unrelatedChain: 'reject',
      selfSignedCa: 'warn',
      namesLost: 'warn',
      requiredNames: [],
      weakKey: 'reject',
      largeKey: 'reject',
      brokenAnchor: null,
      pairGraceSeconds: 60,
      purpose: 'server',
      hosts: 'independent',
      nameClaims: 'any',
    },
    verifyServed: true,
    historySize: 3,
    tickets: { rotateHours: null },
    expiryWarningDays: [30, 7, 1],
    worker: {
      timeoutMs: 10_000,
      idleTimeoutMs: 60_000,
      memoryLimitMb: 256,
      maxFileBytes: 1_048_576,
      maxCrlBytes: 524_288,
    },
    sourceTimeoutSeconds: 10,
    startTimeoutSeconds: 60,
    lastGood: null,
    logger: null,
    source: null,
  })
})

test('a given option is kept, a single path as a list of one', () => {
  const { sources, context, peers } = resolveOptions({
    cert: ['a.crt', 'b.crt'],
    key: ['a.key', 'b.key'],
    passphrase: { file: 'pass' },
    ca: 'ca.pem',
    caDir: ['cas', 'more/*.pem'],
    crl: 'list.pem',
    dhparam: 'dh.pem',
    peers: { allow: [{ uri: 'spiffe://example.org/web' }] },
    tickets: { secretFile: 'tickets.key' },
    requestCert: true,
    rejectUnauthorized: false,
    tls: { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ciphers: 'DEFAULT' },
  })
  assert.deepEqual(sources, {
    pairs: [
      { cert: 'a.crt', key: 'a.key' },
      { cert: 'b.crt', key: 'b.key' },
    ],
    pfx: null,
    passphrase: { file: 'pass' },
    peerRules: { packed: sharedBytes(Buffer.from('uri spiffe://example.org/web')) },
    ca: ['ca.pem'],
    publicRoots: [],
    caDir: ['cas', 'more/*.pem'],
    crl: ['list.pem'],
    dhparam: 'dh.pem',
    ocsp: null,
    ticketSecret: 'tickets.key',
    source: null,
  })
  assert.deepEqual(context, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ciphers: 'DEFAULT' })
  assert.deepEqual(peers, { requestCert: true, rejectUnauthorized: false })
  assert.deepEqual(resolveOptions({ pfx: 'x', passphrase: 'p' }).sources.passphrase, { value: 'p' })
})

test('the limit values themselves are allowed', () => {
  for (const autoReloadInterval of [0, 0.001, 2_147_483_647]) {
    assert.equal(resolveOptions({ ...pair, autoReloadInterval }).autoReloadInterval, autoReloadInterval)
  }
  const worker = { timeoutMs: 10, idleTimeoutMs: 0, memoryLimitMb: 32, maxFileBytes: 1, maxCrlBytes: 1 }
  assert.deepEqual(resolveOptions({ ...pair, worker }).worker, worker)
})

test('an undefined option counts as missing', () => {
  const nothing = {
    autoReloadInterval: undefined,
    tls: { ciphers: undefined },
    policy: undefined,
    ca: undefined,
  }
  assert.deepEqual(resolveOptions({ ...pair, ...nothing } as never), resolveOptions(pair))
})

test('the result is deeply frozen, and the input is not', () => {
  const given = {
    cert: ['a'],
    key: ['b'],
    passphrase: { file: 'x' },
    ca: ['c'],
    tls: {},
    policy: { requiredNames: ['n'] },
    worker: {},
    expiryWarningDays: [1],
  }
  assertFrozen(resolveOptions(given), 'options')
  for (const [name, value] of Object.entries(given)) assert.ok(!Object.isFrozen(value), name)
  given.policy.requiredNames.push('later')
  assert.deepEqual(resolveOptions({ ...pair, policy: { requiredNames: ['n'] } }).policy.requiredNames, ['n'])
})

test('the logger is the same object that was given, unchanged', () => {
  class PrototypeLogger {
    debug(): void {}
    info(): void {}
    warn(): void {}
    error(): void {}
  }
  const logger = new PrototypeLogger()
  assert.equal(resolveOptions({ ...pair, logger }).logger, logger)
  assert.ok(!Object.isFrozen(logger))
})

test('an interval that is set at run time is checked by the same rule', () => {
  for (const good of [0, 0.5, 2_147_483_647]) assertInterval(good)
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2_147_483_648, '5', null, undefined]) {
    const { message } = refusalOf(() => assertInterval(bad as number))
    assert.match(message, /`autoReloadInterval`/)
    assert.match(message, /expected number/)
    assert.match(message, new RegExp(`got "?${bad}`))
  }
})

test('changes replace options, and merge the members of `policy` and `tls`', () => {
  const given: ReloadEngineOptions = {
    ...pair,
    policy: { expired: 'warn', weakKey: 'warn' },
    tls: { ciphers: 'DEFAULT' },
  }
  assert.deepEqual(
    mergeChanges(given, { cert: 'new.crt', policy: { weakKey: 'reject' }, tls: { minVersion: 'TLSv1.3' } }),
    {
      cert: 'new.crt',
      key: 'tls.key',
      policy: { expired: 'warn', weakKey: 'reject' },
      tls: { ciphers: 'DEFAULT', minVersion: 'TLSv1.3' },
    },
  )
  assert.equal(given.cert, 'tls.crt')
})

test('a change to `undefined` resets an option to its default', () => {
  const given: ReloadEngineOptions = { ...pair, ca: 'ca.pem', policy: { expired: 'warn' } }
  assert.deepEqual(mergeChanges(given, { ca: undefined, policy: { expired: undefined } as never }), {
    ...pair,
    policy: {},
  })
  assert.deepEqual(mergeChanges(given, { policy: undefined }), { ...pair, ca: 'ca.pem' })
})

test('options that cannot change after start are refused as changes, and all named', () => {
  for (const name of ['logger', 'worker', 'tickets', 'historySize', 'expiryWarningDays']) {
    const { message } = refusalOf(() => mergeChanges(pair, { [name]: undefined, cert: 'x' } as EngineChanges))
    assert.ok(message.includes(`\`${name}\``), message)
  }
})

function refusalOf(act: () => unknown): ReloadError {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof ReloadError, `threw ${error}`)
    assert.equal(error.code, 'OPTIONS_INVALID')
    return error
  }
  assert.fail('nothing was refused')
}
