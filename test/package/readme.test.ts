import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { handshake } from '../../support/clients/tls-client.js'
import { blocksIn, commandsIn } from '../../support/docs/markdown.js'
import { renameInto, writePair } from '../../support/files/files.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority } from '../../support/material/certificates.js'
import { installPackage } from '../../support/processes/installed-package.js'
import { startNode } from '../../support/processes/process-lines.js'

const hasCurl = spawnSync('curl', ['--version']).status === 0

test('the example of the README serves, and reloads a renewed certificate', async (t) => {
  const { dir } = installPackage(tempDir(t))
  const authority = createAuthority()
  const first = authority.issue()
  const paths = writePair(dir, first)
  const [example] = blocksIn('README.md').filter(({ language }) => language === 'js')
  assert.ok(example)
  const source = example.text
    .replace('/etc/tls/tls.crt', paths.cert)
    .replace('/etc/tls/tls.key', paths.key)
    .replace('autoReloadInterval: 30', 'autoReloadInterval: 0.1')
    .replace('listen(8443)', "listen(0, () => console.log('port', server.address().port))")
  writeFileSync(join(dir, 'example.js'), source)
  const lines = startNode(t, ['example.js'], { cwd: dir })
  const port = Number((await lines.next((line) => line.startsWith('port '))).slice(5))
  assert.equal((await handshake({ port })).fingerprint256, first.fingerprint256)

  const renewed = authority.issue()
  renameInto(paths.key, renewed.keyPem)
  renameInto(paths.cert, renewed.chainPem)
  await lines.next((line) => line === `2 ${renewed.fingerprint256}`)
  assert.equal((await handshake({ port })).fingerprint256, renewed.fingerprint256)
})

const skip = hasCurl ? false : 'needs curl: apt-get install curl'

test('the commands of the README rotate a certificate that curl then trusts', { skip }, async (t) => {
  const { dir } = installPackage(tempDir(t))
  const program = join(dir, 'node_modules/.bin/certswap')
  const flags = ['serve', '--listen', '127.0.0.1:0', '--auto-reload-interval', '0.1']
  const lines = startNode(t, [program, ...flags], { cwd: dir })
  const { url } = JSON.parse(await lines.next((line) => line.includes('"listening"'))) as { url: string }
  const commands = commandsIn('README.md')
  assert.ok(commands.includes('npx certswap dev rotate'))
  execFileSync(process.execPath, [program, 'dev', 'rotate'], { cwd: dir })
  const reloaded = JSON.parse(await lines.next((line) => line.includes('certificates reloaded'))) as {
    fingerprint256: string
  }
  const curl = commands.find((one) => one.startsWith('curl ')) as string
  const [command, ...args] = curl.replace('https://127.0.0.1:8443/', url).split(' ')
  const answer = await outputOf(command as string, [...args, '--silent', '--show-error'], dir)
  assert.equal((JSON.parse(answer) as { fingerprint256: string }).fingerprint256, reloaded.fingerprint256)
  assert.ok(commands.includes('npx certswap status'))
  const status = execFileSync(process.execPath, [program, 'status'], { cwd: dir, encoding: 'utf8' })
  assert.match(status, new RegExp(reloaded.fingerprint256))
})

test('the log lines in the README are those of a rotation and of a refused pair', async (t) => {
  const { dir } = installPackage(tempDir(t))
  const program = join(dir, 'node_modules/.bin/certswap')
  const flags = ['serve', '--listen', '127.0.0.1:0', '--auto-reload-interval', '0.1']
  const lines = startNode(t, [program, ...flags], { cwd: dir })
  await lines.next((line) => line.includes('"listening"'))
  const commands = commandsIn('README.md').filter((one) => /^(cp|npx certswap dev) /.test(one))
  const shown = (blocksIn('README.md').find(({ language }) => language === 'json')?.text ?? '')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine)
  // One line for the rotation, one for the refused pair, two for the pair that follows it.
  for (const [index, count] of [1, 1, 2].entries()) {
    const command = commands[index]?.replace('npx certswap', `"${process.execPath}" "${program}"`) ?? 'false'
    execFileSync('sh', ['-c', command], { cwd: dir })
    for (const example of shown.splice(0, count)) {
      const printed = JSON.parse(await lines.next((line) => line.includes(example.msg))) as LogLine
      const names = Object.keys(printed).filter((name) => name in example)
      const line = Object.fromEntries(names.map((name) => [name, printed[name]]))
      assert.equal(withoutValues(line, dir), withoutValues(example, '/app'))
    }
  }
  assert.equal(commands.length, 3)
  assert.deepEqual(shown, [])
})

interface LogLine extends Record<string, unknown> {
  readonly msg: string
}

/** A log line as JSON, without the values that differ between runs. */
function withoutValues(line: object, dir: string): string {
  return JSON.stringify(line)
    .replaceAll(dir, 'DIR')
    .replaceAll(/"[0-9A-F]{2}:[0-9A-F]{2}:([0-9A-F:]+|…)"/g, 'FINGERPRINT')
    .replaceAll(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, 'TIME')
    .replaceAll(/Ms":[\d.]+/g, 'MS')
}

/** Asynchronous, because the requested server may be a child process whose output we read. */
async function outputOf(command: string, args: string[], cwd: string): Promise<string> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const [code] = await once(child, 'close')
  assert.equal(code, 0, `${command} ends with 0`)
  return output
}
