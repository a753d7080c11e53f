import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { createAuthority } from '../support/certificates.js'
import { renameInto, writePair } from '../support/files.js'
import { installPackage } from '../support/installed-package.js'
import { blocksIn, commandsIn } from '../support/markdown.js'
import { startNode } from '../support/process-lines.js'
import { tempDir } from '../support/temp-dir.js'
import { handshake } from '../support/tls-client.js'

const hasCurl = spawnSync('curl', ['--version']).status === 0

test('the example of the README serves, and reloads what is renewed', async (t) => {
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

/** Asynchronous, because the server that is asked may be a child whose output we read. */
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
