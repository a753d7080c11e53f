/* The commands and configuration files of docs/sources/command-line.md. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { resolveConfig } from '../../../src/main/cli/serve/config.js'
import { withSources } from '../../../src/main/cli/serve/source.js'
import { resolveOptions } from '../../../src/main/engine/resolve-options.js'
import { blocksIn, commandsIn } from '../../../support/docs/markdown.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { certswap, certswapServe } from '../../../support/processes/program.js'
import { identityService } from '../../../support/sources/identity-service.js'

const PAGE = 'docs/sources/command-line.md'

test('every command of the page works', async (t) => {
  const service = await identityService(t)
  const { dir: cwd } = service
  writeFileSync(join(cwd, 'token'), 'correct-horse-battery-staple-42')
  const commands = commandsIn(PAGE).map((line) =>
    line
      .replace(/^npx certswap /, '')
      .replace('https://certificates.internal/web', service.url)
      .replaceAll("'", '')
      .split(' '),
  )
  assert.ok(commands.length >= 4)
  let running: { stop(): Promise<number | null> } | null = null
  for (const command of commands) {
    if (command[0] === 'serve') {
      await running?.stop()
      running = await certswapServe(t, command.slice(1), { cwd })
      continue
    }
    const { code, stderr } = await certswap(command, { cwd })
    assert.equal(code, 0, `${command.join(' ')}: ${stderr}`)
  }
})

test('every configuration file of the page is accepted', async (t) => {
  const files = blocksIn(PAGE).filter(({ language }) => language === 'json')
  assert.equal(files.length, 4)
  for (const { text } of files) {
    const config = join(tempDir(t), 'certswap.json')
    writeFileSync(config, text)
    const { engine } = await resolveConfig({ config })
    const options = await withSources(engine)
    assert.doesNotThrow(() => resolveOptions(options), text)
  }
})
