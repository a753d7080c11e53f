// Failures that clients see when a server is stopped: the drain of certswap compared with common libraries.
//
//   npm run bench:drain                       20 rounds of each, and a quarter of that without a lame duck
//   npm run bench:drain -- --rounds 3 certswap
//
// The load, the load balancer and both backends run on this machine, in processes of their own.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { selfSigned } from '../../support/material/certificates.js'
import { refusedByGoaway } from './refused.js'
import { type Case, type Identity, LAG_MS, runRound } from './round.js'
import { SHUTDOWNS } from './shutdowns.js'
import { Tally } from './tally.js'

const LAME_DUCK_MS = LAG_MS + 200

const COLUMNS = [
  '',
  'lame duck',
  'rounds',
  'answers',
  'errors',
  'by kind',
  'downloads cut',
  'time to empty (longest)',
]

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '20' } },
  allowPositionals: true,
})
const rounds = Number(values.rounds)
const names = Object.keys(SHUTDOWNS).filter((name) => positionals.length === 0 || positionals.includes(name))

const dir = mkdtempSync(join(tmpdir(), 'certswap-bench-drain-'))
try {
  const identity = writeIdentity(dir)
  console.log(`Node ${process.versions.node}, OpenSSL ${process.versions.openssl}\n`)
  console.log(`| ${COLUMNS.join(' | ')} |`)
  console.log(`| ${COLUMNS.map(() => '---').join(' | ')} |`)
  for (const lameDuckMs of [LAME_DUCK_MS, 0]) {
    const count = lameDuckMs === 0 ? Math.ceil(rounds / 4) : rounds
    for (const shutdown of names) console.log(await row({ shutdown, lameDuckMs }, count, identity))
  }
  console.log('\nRequests refused at a round trip of 30 ms and a request each millisecond\n')
  console.log('| GOAWAY | drains | sent | refused |\n| --- | --- | --- | --- |')
  for (const line of await refusedByGoaway()) console.log(line)
} finally {
  rmSync(dir, { recursive: true })
}

async function row(one: Case, count: number, identity: Identity): Promise<string> {
  const [errors, cut, times] = [new Tally(), new Tally(), [] as number[]]
  let answers = 0
  for (let round = 0; round < count; round++) {
    const result = await runRound(one, identity)
    errors.addAll(result.errors)
    cut.addAll(result.cut)
    answers += result.answers
    times.push(result.emptyMs)
  }
  const sorted = times.sort((a, b) => a - b)
  const seconds = (at: number) => `${((sorted[at] ?? 0) / 1000).toFixed(1)} s`
  const empty = `${seconds(Math.floor(sorted.length / 2))} (${seconds(sorted.length - 1)})`
  const { shutdown, lameDuckMs } = one
  const cells = [
    shutdown,
    lameDuckMs === 0 ? 'none' : `${lameDuckMs} ms`,
    count,
    answers,
    errors.total,
    errors,
    cut,
    empty,
  ]
  return `| ${cells.join(' | ')} |`
}

function writeIdentity(folder: string): Identity {
  const { certPem, keyPem } = selfSigned()
  const identity = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }
  writeFileSync(identity.cert, certPem)
  writeFileSync(identity.key, keyPem, { mode: 0o600 })
  return identity
}
