// Whether Node loads a pair, shakes hands with it in both versions of TLS, and a client verifies it, beside what certswap says
// of the same files. They agree, or the disagreement is in the list, with its reason.

import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import type { ReloadEngineOptions } from '../../src/main/index.js'
import { DISAGREEMENTS, explanationOf, type OwnVerdict } from '../support/disagreements.js'
import { fuzzCases, numbersFrom, seed } from '../support/long-mode.js'
import { type NodeVerdict, nodeVerdict } from '../support/node-verdict.js'
import {
  describeCase,
  drawnCase,
  filesOfCase,
  type PairCase,
  type PairFilesOfCase,
  usualCase,
} from '../support/pair-cases.js'
import { derOf } from '../support/pem-text.js'
import { prepareHere, taskFor } from '../support/prepare-here.js'
import { tempDir } from '../support/temp-dir.js'

const CASES = fuzzCases(400)

test(`of ${CASES} pairs, certswap accepts those that Node serves and clients verify, but for a list of reasons`, async (t) => {
  t.diagnostic(`seed ${seed}`)
  const next = numbersFrom(seed)
  const dir = tempDir(t)
  const counts = new Map<string, number>()
  const unexplained: string[] = []
  for (let i = 0; i < CASES; i++) {
    const one = drawnCase(next)
    const said = await bothSay(one, dir)
    if (said === null) continue
    const explanation = explanationOf(one, said.node, said.own)
    if (explanation === null) unexplained.push(`${describeCase(one)}: ${JSON.stringify(said)}`)
    else counts.set(explanation, (counts.get(explanation) ?? 0) + 1)
  }
  for (const [explanation, count] of counts) t.diagnostic(`${count} ${explanation}`)
  assert.deepEqual(unexplained, [], `repeat it with CERTSWAP_SEED=${seed}`)
  assert.ok((counts.get('agreed') ?? 0) > CASES / 2, 'most cases can be made, and agree')
})

test('each reason of the list has a pair that Node and certswap disagree about', async (t) => {
  const dir = tempDir(t)
  for (const { reason, side, example, isHere = true } of DISAGREEMENTS) {
    const one = { ...usualCase, ...example }
    const said = await bothSay(one, dir)
    assert.ok(said, reason)
    const expected = isHere ? `${side}: ${reason}` : 'agreed'
    assert.equal(explanationOf(one, said.node, said.own), expected, JSON.stringify(said))
  }
  const usual = await bothSay(usualCase, dir)
  assert.ok(usual?.own.isAccepted)
  assert.equal(explanationOf(usualCase, usual.node, usual.own), 'agreed')
})

interface Said {
  readonly node: NodeVerdict
  readonly own: OwnVerdict
}

async function bothSay(one: PairCase, dir: string): Promise<Said | null> {
  const files = filesOfCase(one)
  if (files === null) return null
  return { node: await nodeVerdict(files), own: await ownVerdict(files, dir) }
}

async function ownVerdict(files: PairFilesOfCase, dir: string): Promise<OwnVerdict> {
  const reply = await prepareHere(taskFor(optionsIn(dir, files)))
  if (reply.kind === 'refused') return { isAccepted: false, codes: reply.problems.map(({ code }) => code) }
  assert.equal(reply.kind, 'prepared')
  const { material, warnings } = reply as Extract<typeof reply, { kind: 'prepared' }>
  const served = derOf(Buffer.from(material.pairs[0]?.chain ?? '').toString())
  assert.deepEqual(served, files.leafDer, 'the leaf is served, and first')
  return { isAccepted: true, codes: warnings.map(({ code }) => code) }
}

function optionsIn(dir: string, { cert, key, pfx, passphrase, root }: PairFilesOfCase): ReloadEngineOptions {
  const write = (name: string, content: string | Buffer): string => {
    const path = join(dir, name)
    rmSync(path, { force: true })
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }
  const ca = write('ca.crt', root)
  const secret = passphrase === null ? {} : { passphrase }
  if (pfx !== null) return { pfx: write('tls.p12', pfx), ca, ...secret }
  return { cert: write('tls.crt', cert ?? ''), key: write('tls.key', key ?? ''), ca, ...secret }
}
