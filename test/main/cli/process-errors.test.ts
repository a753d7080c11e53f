import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

test('Node prints warnings with a listener that can be removed', () => {
  const warn = "process.emitWarning('a warning')"
  assert.match(stderrOf(warn), /a warning/)
  const collect = "const seen = []; process.on('warning', ({ message }) => seen.push(message))"
  const report = 'setImmediate(() => console.log(String(seen)))'
  const { stdout, stderr } = run(`process.removeAllListeners('warning'); ${collect}; ${warn}; ${report}`)
  assert.deepEqual([stdout.trim(), stderr], ['a warning', ''])
})

function stderrOf(script: string): string {
  return run(script).stderr
}

function run(script: string) {
  return spawnSync(process.execPath, ['-e', script], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  })
}
