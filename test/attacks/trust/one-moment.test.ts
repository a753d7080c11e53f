import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import type { ReloadEngineOptions } from '../../../src/main/index.js'
import { createReloadEngine } from '../../../src/main/index.js'
import { recordingLogger } from '../../../support/base/recording-logger.js'
import { beforeCalls, type FileFunction } from '../../../support/files/patch-fs.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { type Authority, createAuthority } from '../../../support/material/certificates.js'
import { preparedHere, prepareHere, taskFor } from '../../../support/worker/tasks-here.js'

const leaf = createAuthority({ name: 'Moment Issuer' }).issue()
const [first, second, third, fourth, fifth] = ['1', '2', '3', '4', '5'].map((n) =>
  createAuthority({ name: `Moment ${n}` }),
) as [Authority, Authority, Authority, Authority, Authority]

/** Two generations of trust without a common anchor; some of their files have the same names. */
const GENERATIONS = { one: [first, second], two: [third, fourth, fifth] } as const

/** Ways of replacing a directory of anchors with another in one step, and the path to configure for it. */
const LAYOUTS: readonly {
  readonly title: string
  caDir(dir: string): string
  lay(dir: string): void
  swap(dir: string): void
}[] = [
  {
    title: 'a directory that is a symbolic link',
    caDir: (dir) => join(dir, 'current'),
    lay: (dir) => symlinkSync('one', join(dir, 'current')),
    swap: (dir) => replaceLink(dir, 'current', 'two'),
  },
  {
    title: 'a directory that is renamed',
    caDir: (dir) => join(dir, 'current'),
    lay: (dir) => renameSync(join(dir, 'one'), join(dir, 'current')),
    swap: (dir) => {
      renameSync(join(dir, 'current'), join(dir, 'one'))
      renameSync(join(dir, 'two'), join(dir, 'current'))
    },
  },
  {
    title: 'a pattern below a symbolic link',
    caDir: (dir) => join(dir, 'current', '*.pem'),
    lay: (dir) => symlinkSync('one', join(dir, 'current')),
    swap: (dir) => replaceLink(dir, 'current', 'two'),
  },
  {
    title: 'a Kubernetes volume, whose files are links through ..data',
    caDir: (dir) => join(dir, 'volume'),
    lay: (dir) => {
      mkdirSync(join(dir, 'volume'))
      symlinkSync('../one', join(dir, 'volume', '..data'))
      for (const name of ['a.pem', 'b.pem']) symlinkSync(`..data/${name}`, join(dir, 'volume', name))
    },
    swap: (dir) => {
      replaceLink(join(dir, 'volume'), '..data', '../two')
      symlinkSync('..data/c.pem', join(dir, 'volume', 'c.pem'))
    },
  },
]

for (const { title, caDir, lay, swap } of LAYOUTS) {
  test(`trust is never half of one directory and half of the next: ${title}`, async (t) => {
    const allowed = await allowedDigests(t)
    let met = 0
    for (const call of ['readdirSync', 'statSync', 'lstatSync', 'openSync'] as const) {
      for (let nth = 1; nth <= 5; nth++) {
        const dir = siteOf(t)
        lay(dir)
        // Just before the nth call of this function, wherever it happens.
        const swapped = onNthCall(t, call, nth, () => swap(dir))
        const reply = await prepareHere(taskFor(optionsOf(dir, { caDir: caDir(dir) })))
        swapped.restore()
        met += Number(swapped.happened())
        if (reply.kind === 'refused') {
          assert.deepEqual(
            reply.problems.map(({ code }) => code),
            ['FILES_CHANGING'],
          )
        } else {
          assert.equal(reply.kind, 'prepared')
          assert.ok(
            reply.kind === 'prepared' && allowed.has(reply.trust.digest),
            `${call} ${nth}: a mixed trust`,
          )
        }
      }
    }
    assert.ok(met > 4, `the swap fell into ${met} reads`)
  })
}

test('an anchor that is added while the directory is read is neither missed nor torn', async (t) => {
  const dir = siteOf(t)
  beforeCalls(t, 'openSync', () => writeFileSync(join(dir, 'one', 'c.pem'), third.certPem))
  const reply = await prepareHere(taskFor(optionsOf(dir, { caDir: join(dir, 'one') })))
  assert.equal(reply.kind === 'prepared' && reply.trust.authorities, 3)
})

test('a file of anchors and a revocation list of different generations are never combined', async (t) => {
  const dir = siteOf(t)
  for (const [name, [ca]] of Object.entries(GENERATIONS)) {
    writeFileSync(join(dir, name, 'ca.pem'), ca.certPem)
    writeFileSync(join(dir, name, 'ca.crl'), ca.crl())
  }
  const task = () => {
    const paths = { ca: join(dir, 'current/ca.pem'), crl: join(dir, 'current/ca.crl') }
    return taskFor(optionsOf(dir, paths))
  }
  const link = (to: string) => replaceLink(dir, 'current', to)
  link('one')
  const whole = [await preparedHere(task())]
  link('two')
  whole.push(await preparedHere(task()))
  const allowed = new Set(whole.map(({ trust }) => trust.digest))
  for (let nth = 1; nth <= 8; nth++) {
    link('one')
    let to = 'two'
    // There and back again, so that two reads in a row may agree on a state that never existed.
    const swapped = onNthCall(
      t,
      'openSync',
      nth,
      () => link(to),
      () => {
        to = to === 'one' ? 'two' : 'one'
      },
    )
    const reply = await prepareHere(task())
    swapped.restore()
    if (reply.kind === 'prepared') assert.ok(allowed.has(reply.trust.digest), `call ${nth}: a mixed trust`)
    else
      assert.deepEqual(reply.kind === 'refused' && reply.problems.map(({ code }) => code), ['FILES_CHANGING'])
  }
})

test('in a storm of swapped directories, the trust in force is always one that existed', async (t) => {
  const allowed = await allowedDigests(t)
  const dir = siteOf(t)
  symlinkSync('one', join(dir, 'current'))
  const engine = await createReloadEngine({
    ...optionsOf(dir, { caDir: join(dir, 'current') }),
    logger: recordingLogger(),
  })
  t.after(() => engine.close())
  const storm = spawn(process.execPath, ['-e', STORM, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => storm.kill())
  await new Promise((resolve) => storm.stdout.once('data', resolve))
  let applied = 0
  for (let i = 0; i < 100; i++) {
    const result = await engine.reload()
    applied += Number(result.outcome === 'applied')
    assert.ok(allowed.has(engine.status().generation.trust.digest), `reload ${i}: a trust that never existed`)
  }
  storm.kill()
  await new Promise((resolve) => storm.once('close', resolve))
  t.diagnostic(`${applied} of 100 reloads applied another trust`)
  const last = await engine.reload()
  assert.notEqual(last.outcome, 'rejected')
})

/** Renames a new link over the old one repeatedly, with pauses of 0 to 20 ms. */
const STORM = `
  const { renameSync, symlinkSync } = require('node:fs')
  process.chdir(process.argv[1])
  let turn = 0
  const swap = () => {
    symlinkSync(turn++ % 2 ? 'one' : 'two', 'next')
    renameSync('next', 'current')
    setTimeout(swap, Math.random() * 20)
  }
  swap()
  process.stdout.write('begun')
`

function siteOf(t: TestContext): string {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'tls.crt'), leaf.chainPem)
  writeFileSync(join(dir, 'tls.key'), leaf.keyPem, { mode: 0o600 })
  for (const [name, anchors] of Object.entries(GENERATIONS)) {
    mkdirSync(join(dir, name))
    anchors.forEach(({ certPem }, i) => {
      writeFileSync(join(dir, name, `${'abc'[i]}.pem`), certPem)
    })
  }
  return dir
}

function optionsOf(dir: string, trust: Partial<ReloadEngineOptions>): ReloadEngineOptions {
  return { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), requestCert: true, ...trust }
}

async function allowedDigests(t: TestContext): Promise<Set<string | null>> {
  const dir = siteOf(t)
  const digests = new Set<string | null>()
  for (const name of ['one', 'two']) {
    const { trust } = await preparedHere(taskFor(optionsOf(dir, { caDir: join(dir, name) })))
    digests.add(trust.digest)
  }
  return digests
}

function replaceLink(dir: string, name: string, target: string): void {
  symlinkSync(target, join(dir, `${name}.next`))
  renameSync(join(dir, `${name}.next`), join(dir, name))
}

/** Runs `act` before the nth call; with `again`, also before each call after it. */
function onNthCall(
  t: TestContext,
  name: FileFunction,
  nth: number,
  act: () => void,
  again?: () => void,
): { happened(): boolean; restore(): void } {
  let calls = 0
  let done = 0
  const restore = beforeCalls(
    t,
    name,
    () => {
      calls++
      if (calls < nth || (done > 0 && !again)) return
      act()
      again?.()
      done++
    },
    Number.POSITIVE_INFINITY,
  )
  return { happened: () => done > 0, restore }
}
