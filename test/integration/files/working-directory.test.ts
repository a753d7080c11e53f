import assert from 'node:assert/strict'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { withAbsolutePaths } from '../../../src/main/base/absolute-paths.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { pkcs12 } from '../../../support/material/pkcs12.js'
import { runModule } from '../../../support/processes/run-module.js'

const root = createAuthority()

/** The start of a child process: it works in `dir`, creates an engine with relative paths, and changes its directory. */
const BEGIN = `
  import fs from 'node:fs'
  import tls from 'node:tls'
  import { once } from 'node:events'
  const { DIR, OPTIONS } = process.env
  process.chdir(DIR)
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  const starting = api.createReloadEngine({ ...JSON.parse(OPTIONS), logger })
  // At once: whatever the start still has to do comes after.
  process.chdir('/')
  const engine = await starting
  const say = (value) => console.log(JSON.stringify(value))
  const brief = ({ outcome, problems }) => [outcome, problems.map(({ code, path }) => [code, path])]
`

/** Every option that is a path, and the file whose absence shows where it is searched. */
const options: readonly [string, object, string][] = [
  ['cert', { cert: 'tls.crt', key: 'tls.key' }, 'tls.crt'],
  ['key', { cert: './tls.crt', key: '../site/tls.key' }, 'tls.key'],
  ['ca', { ...pair(), ca: 'ca.crt' }, 'ca.crt'],
  ['caDir, a directory', { ...pair(), caDir: 'anchors' }, 'anchors'],
  ['crl', { ...pair(), ca: 'ca.crt', crl: ['ca.crl'] }, 'ca.crl'],
  ['dhparam', { ...pair(), dhparam: 'dh.pem' }, 'dh.pem'],
  ['pfx', { pfx: 'tls.p12', passphrase: 'secret' }, 'tls.p12'],
  ['passphrase', { pfx: 'tls.p12', passphrase: { file: 'pass' } }, 'pass'],
  ['tickets.secretFile', { ...pair(), tickets: { secretFile: 'tickets' } }, 'tickets'],
  ['hosts by name', { ...pair(), hosts: { 'a.example': { cert: 'a.crt', key: 'tls.key' } } }, 'a.crt'],
]
test('after process.chdir() every file is read from its original place, and named by its absolute path', async (t) => {
  const dir = site(t)
  const script = `${BEGIN.split('const starting')[0]}
    const results = {}
    // Its thread serves the engines below too.
    const keeper = await api.createReloadEngine({ cert: 'tls.crt', key: 'tls.key', logger })
    for (const [title, options, file] of JSON.parse(OPTIONS)) {
      process.chdir(DIR)
      const starting = api.createReloadEngine({ ...options, logger })
      process.chdir('/')
      const engine = await starting
      fs.renameSync(DIR + '/' + file, DIR + '/away')
      const { problems: [problem] } = await engine.reload()
      fs.renameSync(DIR + '/away', DIR + '/' + file)
      const back = await engine.reload()
      results[title] = [problem.path, problem.message.includes(DIR + '/' + file), back.outcome]
      await engine.close()
    }
    await keeper.close()
    console.log(JSON.stringify(results))`
  const { stdout } = await runModule(t, script, { DIR: dir, OPTIONS: JSON.stringify(options) })
  const expected = options.map(([title, , file]) => [title, [join(dir, file), true, 'unchanged']])
  assert.deepEqual(JSON.parse(stdout), Object.fromEntries(expected))
})

test('after process.chdir() patterns of hosts and CA files, claims, and changes by update() keep their meaning', async (t) => {
  const dir = site(t)
  const engine = {
    ...pair(),
    hosts: ['hosts/*', '../site/flat/*.crt'],
    caDir: 'anchors/*.crt',
    policy: { nameClaims: ['hosts/a*'] },
  }
  const script = `${BEGIN}
    say([engine.servingFor('a.example').host, engine.servingFor('b.example').host])
    say(engine.status().generation.trust.authorities)
    say(brief(await engine.reload()))
    process.chdir(DIR + '/hosts')
    const updating = engine.update({ cert: '../next.crt', key: '../next.key' })
    process.chdir('/tmp')
    say(brief(await updating))
    // Options that an update leaves alone stay what they were.
    say(brief(await engine.update({ verifyServed: false })))
    fs.rmSync(DIR + '/next.crt')
    say(brief(await engine.reload()))
    await engine.close()`
  const { stdout } = await runModule(t, script, { DIR: dir, OPTIONS: JSON.stringify(engine) })
  assert.deepEqual(linesOf(stdout), [
    [join(dir, 'hosts/a.example'), join(dir, 'flat/b.example')],
    2,
    ['unchanged', []],
    ['applied', []],
    ['applied', []],
    ['rejected', [['FILE_NOT_FOUND', join(dir, 'next.crt')]]],
  ])
})

test('a server on a Unix socket with a relative path is still verified after process.chdir()', async (t) => {
  const dir = site(t)
  const script = `${BEGIN}
    process.chdir(DIR)
    const server = tls.createServer(engine.serverOptions())
    engine.attach(server)
    await once(server.listen('server.sock'), 'listening')
    process.chdir('/')
    fs.renameSync(DIR + '/next.crt', DIR + '/tls.crt')
    fs.renameSync(DIR + '/next.key', DIR + '/tls.key')
    const { outcome, warnings } = await engine.reload()
    say([outcome, warnings.map(({ code }) => code).filter((code) => code.startsWith('SERVED'))])
    server.close()
    await engine.close()`
  const { stdout } = await runModule(t, script, { DIR: dir, OPTIONS: JSON.stringify(pair()) })
  assert.deepEqual(linesOf(stdout), [['applied', []]])
})

test('a fleet member in another working directory, and a primary that changes its own, serve the renewal', async (t) => {
  const dir = site(t)
  const script = `
    import cluster from 'node:cluster'
    import fs from 'node:fs'
    import { once } from 'node:events'
    import { fileURLToPath } from 'node:url'
    const { DIR, FLEET, MEMBER } = process.env
    const { shareEngine } = await import(FLEET)
    process.chdir(DIR)
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    const engine = await api.createReloadEngine({ cert: 'tls.crt', key: 'tls.key', logger })
    const shared = shareEngine(engine)
    cluster.setupPrimary({ exec: MEMBER, execArgv: [], cwd: '/' })
    const worker = cluster.fork()
    const serving = (wanted) => new Promise((resolve) => {
      worker.on('message', ({ generation = 0 }) => generation >= wanted && resolve(generation))
    })
    const began = await serving(1)
    process.chdir('/tmp')
    fs.renameSync(DIR + '/next.crt', DIR + '/tls.crt')
    fs.renameSync(DIR + '/next.key', DIR + '/tls.key')
    const renewed = serving(began + 1)
    const { outcome, members } = await engine.reload()
    console.log(JSON.stringify([outcome, members.map(({ outcome }) => outcome), (await renewed) - began]))
    worker.kill()
    await engine.close()`
  const member = join(dir, 'member.mjs')
  const fleet = new URL('../../../src/main/fleet/index.js', import.meta.url).href
  writeFileSync(
    member,
    `import { joinEngine } from ${JSON.stringify(fleet)}
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    const engine = await joinEngine({ logger })
    process.chdir('/usr')
    engine.on('applied', ({ generation }) => process.send({ generation: generation.number }))
    process.send({ generation: engine.status().generation.number })`,
  )
  const { stdout } = await runModule(t, script, { DIR: dir, FLEET: fleet, MEMBER: member })
  assert.deepEqual(linesOf(stdout), [['applied', ['applied'], 1]])
})

test('a relative path is refused with the reason when the working directory has been removed', async (t) => {
  const dir = site(t)
  const script = `
    import fs from 'node:fs'
    const { DIR } = process.env
    fs.mkdirSync(DIR + '/gone')
    process.chdir(DIR + '/gone')
    fs.rmdirSync(DIR + '/gone')
    const error = await api.createReloadEngine({ cert: 'tls.crt', key: 'tls.key' }).catch((error) => error)
    console.log(JSON.stringify([error.code, error.message.includes('working directory no longer exists')]))
    process.exit()`
  const { stdout } = await runModule(t, script, { DIR: dir })
  assert.deepEqual(linesOf(stdout).at(-1), ['OPTIONS_INVALID', true])
})

test('a worker thread that cannot start because the working directory has been removed reports it', async (t) => {
  const dir = site(t)
  const script = `
    import fs from 'node:fs'
    const { DIR } = process.env
    fs.mkdirSync(DIR + '/gone')
    process.chdir(DIR + '/gone')
    fs.rmdirSync(DIR + '/gone')
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    const options = { cert: DIR + '/tls.crt', key: DIR + '/tls.key', logger }
    const error = await api.createReloadEngine(options).catch((error) => error)
    console.log(JSON.stringify([error.code, /working directory of the process has been removed/.test(error.message)]))
    process.chdir('/')
    const engine = await api.createReloadEngine(options)
    console.log(JSON.stringify([engine.status().state]))
    await engine.close()`
  const { stdout } = await runModule(t, script, { DIR: dir })
  assert.deepEqual(linesOf(stdout).slice(-2), [['WORKER_UNAVAILABLE', true], ['serving']])
})

const cases: readonly [string, string, string][] = [
  ['tls.crt', '/srv/app', '/srv/app/tls.crt'],
  ['./tls.crt', '/srv/app', '/srv/app/tls.crt'],
  ['.//../tls.crt', '/srv/app', '/srv/tls.crt'],
  ['../../../tls.crt', '/srv/app', '/tls.crt'],
  ['link/../tls.crt', '/srv/app', '/srv/app/link/../tls.crt'],
  ['..', '/srv/app', '/srv'],
  ['..tls', '/', '/..tls'],
  ['/etc/./tls.crt', '/srv', '/etc/./tls.crt'],
]
for (const [path, base, expected] of cases) {
  test(`${path} in ${base} is ${expected}: links in the path are still followed`, () => {
    assert.deepEqual(withAbsolutePaths({ cert: path }, base), { cert: expected })
  })
}

test('a directory whose name looks like a pattern is taken literally in front of a pattern', () => {
  const resolved = withAbsolutePaths({ hosts: ['hosts/*', 'one'], caDir: '../cas/*.crt' }, '/srv/a [b]/(c)')
  assert.deepEqual(resolved, {
    hosts: ['/srv/a \\[b\\]/\\(c\\)/hosts/*', '/srv/a [b]/(c)/one'],
    caDir: '/srv/a \\[b\\]/cas/*.crt',
  })
})

test('hosts and CA directories are found in a directory whose name looks like a pattern', async (t) => {
  const dir = join(tempDir(t), 'a [b]{c}(d)')
  renameSync(site(t), dir)
  const given = { ...pair(), hosts: ['hosts/*'], caDir: 'anchors' }
  const script = `${BEGIN}
    const served = () => [engine.servingFor('a.example').host, engine.status().generation.trust.authorities]
    say(served())
    process.chdir(DIR)
    const { outcome } = await engine.update({ hosts: ['hosts/a.example'] })
    say([...served(), outcome])
    await engine.close()`
  const { stdout } = await runModule(t, script, { DIR: dir, OPTIONS: JSON.stringify(given) })
  const host = join(dir, 'hosts/a.example')
  assert.deepEqual(linesOf(stdout), [
    [host, 2],
    [host, 2, 'applied'],
  ])
})

function pair(): { cert: string; key: string } {
  return { cert: 'tls.crt', key: 'tls.key' }
}

/** A directory with every kind of file that an engine reads. */
function site(t: TestContext): string {
  const dir = join(tempDir(t), 'site')
  for (const name of ['', 'anchors', 'hosts/a.example', 'flat'])
    mkdirSync(join(dir, name), { recursive: true })
  const [first, next] = [root.issue(), root.issue()]
  const named = root.issue({ names: ['a.example'], key: first })
  writePair(dir, first)
  writePair(dir, next, { cert: 'next.crt', key: 'next.key' })
  writePair(join(dir, 'hosts/a.example'), root.issue({ names: ['a.example'] }))
  writePair(join(dir, 'flat'), root.issue({ names: ['b.example'] }), {
    cert: 'b.example.crt',
    key: 'b.example.key',
  })
  const files = {
    'a.crt': named.chainPem,
    'ca.crt': root.certPem,
    'ca.crl': root.crl(),
    'anchors/a.crt': root.certPem,
    'anchors/b.crt': createAuthority().certPem,
    'dh.pem': DH,
    'tls.p12': pkcs12({ leaf: first, passphrase: 'secret' }),
    pass: 'secret\n',
    tickets: Buffer.alloc(48, 'ticket secret'),
  }
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(dir, name), content, { mode: 0o600 })
  return dir
}

function linesOf(stdout: string): unknown[] {
  return stdout
    .split('\n')
    .filter((line) => /^["[\d]/.test(line))
    .map((line) => JSON.parse(line) as unknown)
}

/** ffdhe2048 of RFC 7919. */
const DH = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
`
