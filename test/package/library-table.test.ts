/* The table of client libraries in docs/outbound.md: versions, examples and tests are those of this repository. */

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'

import { projectRoot } from '../../support/processes/installed-package.js'

const EXAMPLES = 'examples/clients'
const page = readFileSync(join(projectRoot, 'docs/outbound.md'), 'utf8')
const tested = [
  ...page.matchAll(/^\| \[(?<library>[^\]]+)\]\(\.\.\/(?<example>[^)]+)\) \| (?<version>[^ ]+) \|/gm),
].map(({ groups }) => groups as unknown as Row & { example: string })
const withoutServer = [...page.matchAll(/^\| (?<library>[a-z]+) \| (?<version>\d[^ ]+) \|/gm)].map(
  ({ groups }) => groups as unknown as Row,
)

interface Row {
  readonly library: string
  readonly version: string
}

test('the table of client libraries has a row for each example', () => {
  const listed = tested.map(({ example }) => example)
  const examples = readdirSync(join(projectRoot, EXAMPLES)).map((file) => `${EXAMPLES}/${file}`)
  assert.deepEqual(
    examples.filter((example) => !listed.includes(example)),
    [],
  )
})

for (const { library, version } of [...tested, ...withoutServer]) {
  test(`the version of ${library} in the documentation is the one that is tested`, () => {
    const installed = readFileSync(join(projectRoot, 'node_modules', library, 'package.json'), 'utf8')
    assert.equal(version, (JSON.parse(installed) as { version: string }).version)
  })
}

for (const { library } of withoutServer) {
  test(`what the documentation says of ${library}, which has no example, is tested`, () => {
    assert.ok(existsSync(join(projectRoot, `test/integration/client-libraries/${library}.test.ts`)))
  })
}

for (const { library, example } of tested) {
  test(`the example of ${library} exists, imports it, has fewer than 40 lines, and is run by a test`, () => {
    const text = readFileSync(join(projectRoot, example), 'utf8')
    assert.match(text, new RegExp(`from '${library}(/[a-z]+)?'`))
    if (!example.startsWith(EXAMPLES)) return
    assert.ok(text.split('\n').length <= 40)
    const name = basename(example, '.js')
    assert.ok(existsSync(join(projectRoot, `test/integration/client-libraries/${name}.test.ts`)))
  })
}
