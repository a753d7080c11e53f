// Compares certswap's verdict on a pair with Node: whether Node loads the pair and completes a handshake with it in both TLS
// versions, and whether a client verifies it. They agree, or the disagreement is in the list, with its reason.

import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import type { ReloadEngineOptions } from '../../src/main/index.js'
import type { PreparedReply } from '../../src/workers/protocol/prepare.js'
import { fuzzCases, numbersFrom, seed } from '../../support/base/long-mode.js'
import { DISAGREEMENTS, explanationOf, type OwnVerdict } from '../../support/cases/disagreements.js'
import { type Handshakes, type NodeVerdict, nodeVerdict } from '../../support/cases/node-verdict.js'
import {
  describeCase,
  drawnCase,
  filesOfCase,
  otherFormOf,
  type PairCase,
  type PairFilesOfCase,
  usualCase,
} from '../../support/cases/pair-cases.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { derOf } from '../../support/material/pem-text.js'
import { prepareHere, taskFor } from '../../support/worker/tasks-here.js'

/**
 * Each pair comes in three more forms. OpenSSL 3.0 takes twice the time. On four versions of Node these are some thousands;
 * `CERTSWAP_FUZZ=5` gives as many on one.
 */
const CASES = fuzzCases(process.versions.openssl.startsWith('3.0.') ? 400 : 600)
const FORMS = 3

test(`among ${CASES} pairs, certswap accepts those that Node serves and clients verify, except for the listed reasons`, async (t) => {
  t.diagnostic(`seed ${seed}`)
  const next = numbersFrom(seed)
  const dir = tempDir(t)
  const counts = new Map<string, number>()
  const unexplained: string[] = []
  for (let i = 0; i < CASES; i += 1 + FORMS) {
    const drawn = drawnCase(next)
    const others = Array.from({ length: FORMS }, () => otherFormOf(drawn, next))
    const before: Before = { handshakes: new Map(), accepted: null }
    for (const one of [drawn, ...others]) {
      const verdicts = await bothVerdicts(one, dir, before)
      if (verdicts === null) continue
      const explanation = explanationOf(one, verdicts.node, verdicts.own)
      if (explanation === null) unexplained.push(`${describeCase(one)}: ${JSON.stringify(verdicts)}`)
      else counts.set(explanation, (counts.get(explanation) ?? 0) + 1)
    }
  }
  for (const [explanation, count] of counts) t.diagnostic(`${count} ${explanation}`)
  assert.deepEqual(unexplained, [], `repeat it with CERTSWAP_SEED=${seed}`)
  assert.ok((counts.get('agreed') ?? 0) > CASES / 2, 'most cases can be created, and agree')
})

test('for each reason of the list there is a pair on which Node and certswap disagree', async (t) => {
  const dir = tempDir(t)
  for (const { reason, side, example, isHere = true } of DISAGREEMENTS) {
    const one = { ...usualCase, ...example }
    const verdicts = await bothVerdicts(one, dir)
    assert.ok(verdicts, reason)
    const expected = isHere ? `${side}: ${reason}` : 'agreed'
    assert.equal(explanationOf(one, verdicts.node, verdicts.own), expected, JSON.stringify(verdicts))
  }
  const usual = await bothVerdicts(usualCase, dir)
  assert.ok(usual?.own.isAccepted)
  assert.equal(explanationOf(usualCase, usual.node, usual.own), 'agreed')
})

interface Said {
  readonly node: NodeVerdict
  readonly own: OwnVerdict
}

/** The results for a pair in its previous forms. */
interface Before {
  readonly handshakes: Handshakes
  /** PREPARE's record, with which it compares the next files, and the codes of its warnings. */
  accepted: { readonly record: PreparedReply['record']; readonly codes: readonly string[] } | null
}

async function bothVerdicts(one: PairCase, dir: string, before: Before = noneBefore()): Promise<Said | null> {
  const files = filesOfCase(one)
  if (files === null) return null
  // Node loads a key of another type than the certificate's, and fails in the handshake.
  const keyForm = / key before it$|^another key$/.test(one.keyForm) ? one.keyForm : ''
  const form = [one.certForm, keyForm, files.pfx === null].join()
  const node = await nodeVerdict(files, form, before.handshakes)
  return { node, own: await ownVerdict(files, dir, before) }
}

function noneBefore(): Before {
  return { handshakes: new Map(), accepted: null }
}

async function ownVerdict(files: PairFilesOfCase, dir: string, before: Before): Promise<OwnVerdict> {
  const { accepted } = before
  const reply = await prepareHere(taskFor(optionsIn(dir, files), { record: accepted?.record ?? null }))
  if (reply.kind === 'refused') return { isAccepted: false, codes: reply.problems.map(({ code }) => code) }
  // Most forms contain the chain that is already served, which is not judged again.
  if (accepted !== null && reply.kind === 'unchanged') return { isAccepted: true, codes: accepted.codes }
  assert.equal(reply.kind, 'prepared')
  const { material, warnings, record } = reply as PreparedReply
  const served = derOf(Buffer.from(material.pairs[0]?.chain ?? '').toString())
  assert.deepEqual(served, files.leafDer, 'the leaf is served, and first')
  const codes = warnings.map(({ code }) => code)
  before.accepted = { record, codes }
  return { isAccepted: true, codes }
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
