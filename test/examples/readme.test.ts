import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { commandsIn } from '../../support/docs/markdown.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { projectRoot } from '../../support/processes/installed-package.js'
import { startNode } from '../../support/processes/process-lines.js'
import { certswap } from '../../support/processes/program.js'

test('the commands of the page of examples show a renewal, in their order', async (t) => {
  const cwd = tempDir(t)
  const [, init, start, rotate] = commandsIn('examples/README.md')
  assert.equal((await certswap(wordsAfter(init, 'npx certswap '), { cwd })).code, 0)
  const [file = ''] = wordsAfter(start, 'node ')
  const server = startNode(t, [join(projectRoot, file)], { cwd, env: { RELOAD_SECONDS: '0.1' } })
  await server.next((line) => line.startsWith('listening on '))
  assert.equal((await certswap(wordsAfter(rotate, 'npx certswap '), { cwd })).code, 0)
  await server.next((line) => line.includes('"certificates reloaded"'))
})

function wordsAfter(command = '', start: string): string[] {
  assert.ok(command.startsWith(start), `${command} starts with ${start}`)
  return command.slice(start.length).split(' ')
}
