import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { parse } from 'yaml'

import { projectRoot } from '../../support/processes/installed-package.js'

interface Workflow {
  readonly permissions: object
  readonly jobs: Record<string, { permissions: Record<string, string>; steps: { run?: string }[] }>
}

const folder = join(projectRoot, '.github/workflows')
const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

for (const file of readdirSync(folder)) {
  const text = readFileSync(join(folder, file), 'utf8')
  const workflow = parse(text) as Workflow
  const jobs = Object.values(workflow.jobs)

  test(`${file} runs only actions pinned to a commit, and gives each job the minimum permissions`, () => {
    const uses = text.match(/uses: .*/g) ?? []
    assert.ok(uses.length > 0)
    for (const line of uses) assert.match(line, /^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
    assert.deepEqual(workflow.permissions, {})
    for (const { permissions } of jobs) {
      const writes = Object.keys(permissions).filter((name) => permissions[name] === 'write')
      assert.deepEqual(writes, file === 'release.yml' ? ['id-token'] : [])
    }
  })

  test(`${file} calls npm scripts that exist`, () => {
    const commands = jobs.flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []))
    for (const [, name] of commands.join('\n').matchAll(/npm run (?:--\S+ )*(\S+)/g)) {
      assert.ok(name !== undefined && name in scripts, name)
    }
  })
}

test('a release is published with provenance', () => {
  const { publishConfig } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    publishConfig: Record<string, unknown>
  }
  assert.equal(publishConfig['provenance'], true)
})
