import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { withAbsolutePaths } from '../../../src/main/base/absolute-paths.js'
import { ReloadError } from '../../../src/main/base/errors.js'
import { MATERIAL_ROWS } from '../../../src/main/base/material-options.js'
import { createProgram } from '../../../src/main/cli/program.js'
import { resolveOptions } from '../../../src/main/engine/resolve-options.js'
import { tableOf } from '../../../support/docs/documentation.js'

const pair = { cert: 'tls.crt', key: 'tls.key' }

/** A value of each kind that contains the same relative path. */
const VALUES = {
  file: 'a',
  files: ['a'],
  anchors: ['a'],
  patterns: ['a'],
  passphrase: { file: 'a' },
  hosts: ['a'],
  tickets: { secretFile: 'a' },
  peers: { file: 'a' },
}

test('every option of the table is an option of the engine', () => {
  for (const { name, kind } of MATERIAL_ROWS) {
    const needed = name === 'peers' ? { requestCert: true } : {}
    const options = name === 'pfx' ? { pfx: 'a' } : { ...pair, ca: 'ca.pem', ...needed, [name]: VALUES[kind] }
    assert.doesNotThrow(() => resolveOptions(options), name)
  }
})

test('every option of the table is made absolute, and no path stays relative', () => {
  for (const { name, kind } of MATERIAL_ROWS) {
    const absolute = withAbsolutePaths({ [name]: VALUES[kind] }, '/base')
    assert.deepEqual(
      absolute,
      JSON.parse(JSON.stringify({ [name]: VALUES[kind] }).replace('"a"', '"/base/a"')),
    )
  }
})

test('every option of the table except `tickets` is a flag of serve and check, with the same help in both', () => {
  const program = createProgram()
  for (const command of ['serve', 'check']) {
    const options = program.commands.find((one) => one.name() === command)?.options ?? []
    const helps = new Map(options.map(({ flags, description }) => [flags, description]))
    for (const { name, flag } of MATERIAL_ROWS) {
      if (name !== 'tickets') assert.equal(helps.get(flag?.name ?? ''), flag?.help, `${command} ${name}`)
    }
  }
})

test('docs/options.md has a line for every option of the table, and docs/control.md names every setting', () => {
  const documented = tableOf('options.md', 'option').flatMap(([names = '']) => names.split(', '))
  const control = readFileSync(new URL('../../../../docs/control.md', import.meta.url), 'utf8')
  for (const { name, setting } of MATERIAL_ROWS) {
    assert.ok(documented.includes(`\`${name}\``), name)
    if (setting !== null) assert.ok(control.includes(`\`${setting}\``), setting)
  }
})

test('a refusal shows the given paths, but never a passphrase', () => {
  for (const { name, kind } of MATERIAL_ROWS) {
    const message = messageOf(() => resolveOptions({ ...pair, [name]: 48_611 } as object))
    assert.equal(message.includes('48611'), kind !== 'passphrase', message)
  }
})

function messageOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof ReloadError)
    return error.message
  }
  return assert.fail('expected a refusal')
}
