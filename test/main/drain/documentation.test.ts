import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'

import {
  DRAIN_ERROR_CODES,
  DRAIN_STATES,
  DrainError,
  type DrainOptions,
  PROTOCOLS,
} from '../../../src/main/drain/index.js'

const page = readFileSync(new URL('../../../../docs/drain.md', import.meta.url), 'utf8')

test('the page about draining explains every error code, state and protocol, and no others', () => {
  assert.deepEqual(firstCells('Errors'), [...DRAIN_ERROR_CODES])
  assert.deepEqual(firstCells('States'), [...DRAIN_STATES])
  assert.deepEqual(firstCells('What happens to a connection'), [...PROTOCOLS])
})

const OPTIONS: Record<keyof DrainOptions, true> = {
  servers: true,
  lameDuckMs: true,
  deadlineMs: true,
  spreadMs: true,
  http2: true,
  lateRequests: true,
  incompleteMs: true,
  closeTimeoutMs: true,
  pingTimeoutMs: true,
  onUpgrade: true,
  onStream: true,
  onResponse: true,
  onRaw: true,
  engine: true,
  onTrustRemoved: true,
  generationOf: true,
  logger: true,
}

test('the page about draining has every option, and no others', () => {
  const rows = [...sectionOf('Options').matchAll(/^\| (`[^|]+`) \|/gm)]
  const names = rows.flatMap(([, cell]) =>
    [...(cell as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  )
  assert.deepEqual(names, Object.keys(OPTIONS))
})

test('a drain error has its code, cause and name', () => {
  const cause = new Error('why')
  const error = new DrainError('ABORTED', 'stopped', { cause })
  assert.deepEqual(
    [error.name, error.code, error.cause, error.message],
    ['DrainError', 'ABORTED', cause, 'stopped'],
  )
  assert.equal('cause' in new DrainError('CLOSED', 'closed'), false)
})

/** The code in the first cell of each row of a section's table. */
function firstCells(section: string): string[] {
  return [...sectionOf(section).matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name as string)
}

function sectionOf(title: string): string {
  return page.split(/^## /m).find((one) => one.startsWith(`${title}\n`)) ?? ''
}
