/* The flags and the configuration of a source: what is refused, and that no message contains a password. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { CommandError, EXIT } from '../../../src/main/cli/exit-codes.js'
import { resolveConfig, type ServeFlags } from '../../../src/main/cli/serve/config.js'
import { withSources } from '../../../src/main/cli/serve/source.js'
import { ReloadError } from '../../../src/main/index.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { certswap } from '../../../support/processes/program.js'

const URL_OF_SERVICE = 'https://certificates.internal/web'
const PASSWORD = 'correct-horse-battery-staple'

/** Flags that are refused, with the two things that the message names. */
const REFUSED: readonly (readonly [flags: ServeFlags, names: readonly string[]])[] = [
  [{ source: 'spiffe', cert: ['tls.crt'] }, ['--cert', '--source']],
  [{ source: 'spiffe', key: ['tls.key'] }, ['--key', '--source']],
  [{ source: 'spiffe', pfx: 'id.p12' }, ['--pfx', '--source']],
  [{ source: 'spiffe', passphraseFile: 'pass' }, ['--passphrase-file', '--source']],
  [{ source: 'spiffe', ocsp: 'ocsp.der' }, ['--ocsp', '--source']],
  [{ source: 'spiffe', hosts: ['hosts/*'] }, ['--hosts', '--source']],
  [{ source: 'spiffe', sourceTokenFile: 'token' }, ['--source-token-file', 'spiffe']],
  [{ source: 'spiffe', sourceCa: 'ca.crt' }, ['--source-ca', 'spiffe']],
  [{ source: URL_OF_SERVICE, sourceIdentity: 'web' }, ['--source-identity', 'https']],
  [{ source: URL_OF_SERVICE, sourcePasswordFile: 'password' }, ['--source-password-file', 'https']],
  [{ source: 'redis://h', sourceTokenFile: 'token' }, ['--source-token-file', 'redis']],
  [{ source: 'etcd://h' }, ['etcd', 'spiffe', 'https:', 'redis:', 'rediss:']],
  [{ source: 'http://certificates.internal/web' }, ['http', 'https:']],
  [{ source: 'certificates.internal' }, ['--source', 'https:']],
  [{ sourceCa: 'ca.crt' }, ['--source-ca', '--source']],
  [{ sourceIdentity: 'web' }, ['--source-identity', '--source']],
  [{ lastGood: 'kept' }, ['--last-good', '--source']],
  [{ sourceTimeout: 3 }, ['--source-timeout', '--source']],
  [{ startTimeout: 3 }, ['--start-timeout', '--source']],
  [
    { source: URL_OF_SERVICE, hostsOnDemand: true, allow: ['*'], hosts: ['hosts/*'] },
    ['--hosts ', '--hosts-on-demand'],
  ],
  [{ source: URL_OF_SERVICE, lastGoodKeyFile: 'k' }, ['--last-good-key-file', '--last-good']],
  [{ hostsOnDemand: true, allow: ['*'] }, ['--hosts-on-demand', '--source']],
  [{ source: URL_OF_SERVICE, hostsOnDemand: true }, ['--hosts-on-demand', '--allow']],
  [{ source: URL_OF_SERVICE, allow: ['*'] }, ['--allow', '--hosts-on-demand']],
  [{ source: 'spiffe', hostsOnDemand: true, allow: ['*'] }, ['hosts on demand', 'spiffe']],
]

for (const [flags, names] of REFUSED) {
  test(`the flags ${JSON.stringify(flags)} are refused, and the message names ${names.join(' and ')}`, async () => {
    const { message, exitCode } = await refusal(flags)
    assert.equal(exitCode, EXIT.usage)
    for (const name of names) assert.ok(message.includes(name), message)
    assert.ok(!message.includes('\n'))
  })
}

/** Configuration files that are refused, with a part of the message. */
const REFUSED_FILES: readonly (readonly [file: object, message: RegExp])[] = [
  [
    { source: 'spiffe', cert: 'tls.crt' },
    /^`cert` in \S+certswap\.json cannot be combined with `source` in /,
  ],
  [{ source: 'spiffe', hosts: 'hosts/*' }, /^`hosts` in \S+ cannot be combined with `source` in /],
  [{ source: 5 }, /^`source` in \S+: expected a URL, or an object with `type`: https, redis, spiffe$/],
  [{ source: { type: 'etcd' } }, /expected a URL, or an object with `type`: https, redis, spiffe$/],
  [{ source: { url: `redis://:${PASSWORD}@h` } }, /expected a URL, or an object with `type`/],
  [{ source: { type: 'https', url: URL_OF_SERVICE, retries: 5 } }, /unknown option `retries`/],
  [{ source: { type: 'https', url: `https://u:${PASSWORD}@h/` } }, /`url`: expected an https: URL without/],
  [{ source: { type: 'redis', identity: 'web' } }, /`url`: expected redis:\/\//],
  [
    { source: { type: 'redis', identity: 'web', url: `redis://:${PASSWORD}@/` } },
    /`url`: expected redis:\/\//,
  ],
  [
    { source: { type: 'redis', identity: 'web', url: `redis://:${PASSWORD}@h?x=1` } },
    /`url`: expected redis/,
  ],
  [{ source: { type: 'redis', url: `redis://:${PASSWORD}@h` } }, /--source-identity NAME, or `identity`/],
  [
    { source: { type: 'redis', identity: 'web', url: `redis://:${PASSWORD}@h`, passwordFile: 'p' } },
    /`passwordFile`: expected a URL without a password/,
  ],
  [
    { source: { type: 'redis', identity: 'web', url: 'redis://h', caFile: 'ca.crt' } },
    /`caFile`: expected a URL that begins with rediss:/,
  ],
  [
    { source: { type: 'redis', identity: 'two words', url: `redis://:${PASSWORD}@h` } },
    /`identity`: expected/,
  ],
  [{ source: { type: 'spiffe', socket: 'unix://relative' } }, /`socket`: expected `unix:/],
  [
    { cert: 'a', key: 'b', hosts: { onDemand: { source: 7, allow: ['*'] } } },
    /^`hosts\.onDemand\.source` in /,
  ],
  [
    {
      source: URL_OF_SERVICE,
      hosts: { 'a.example': { cert: 'a', key: 'b' }, onDemand: { source: true, allow: ['*'] } },
    },
    /^"a\.example" of `hosts` in \S+ cannot be combined with `hosts\.onDemand` in \S+; remove one of them$/,
  ],
]

for (const [file, message] of REFUSED_FILES) {
  test(`the configuration file ${JSON.stringify(file)} is refused with the option and without a password`, async (t) => {
    const refused = await refusal({ config: configFile(t, file) })
    assert.match(refused.message, message)
    assert.ok(!refused.message.includes(PASSWORD), refused.message)
  })
}

test('a flag and an option of the configuration file that exclude each other are both named', async (t) => {
  const config = configFile(t, { cert: 'tls.crt', key: 'tls.key' })
  const { message } = await refusal({ config, source: 'spiffe' })
  assert.equal(
    message,
    `\`cert\` in ${config} cannot be combined with --source: material comes from files or from a source; remove one of them`,
  )
})

test('`--hosts` is not replaced by the hosts on demand of the configuration file without a word', async (t) => {
  const onDemand = { source: { type: 'https', hostsUrl: URL_OF_SERVICE }, allow: ['*.example'] }
  const config = configFile(t, { cert: 'tls.crt', key: 'tls.key', hosts: { onDemand } })
  const { message } = await refusal({ config, hosts: ['hosts/*'] })
  assert.equal(message, `--hosts cannot be combined with \`hosts.onDemand\` in ${config}; remove one of them`)
})

test('an SNI host of the configuration file and `--hosts-on-demand` exclude each other', async (t) => {
  const config = configFile(t, { hosts: { 'a.example': { cert: 'a', key: 'b' } } })
  const flags = { config, source: URL_OF_SERVICE, hostsOnDemand: true, allow: ['*'] }
  const { message } = await refusal(flags)
  assert.ok(message.includes('"a.example"') && message.includes('--hosts-on-demand'), message)
})

test('flags set options of the source of the configuration file, and paths there are relative to the file', async (t) => {
  const config = configFile(t, {
    source: { type: 'https', url: URL_OF_SERVICE, caFile: 'ca.crt', tokenFile: 'token', pollSeconds: 5 },
    lastGood: { dir: 'kept', keyFile: 'kept.key' },
    hosts: {
      onDemand: {
        source: { type: 'https', hostsUrl: URL_OF_SERVICE, caFile: 'ca.crt' },
        allow: ['a.example'],
      },
    },
  })
  const dir = join(config, '..')
  const { engine } = await resolveConfig({ config, sourceTokenFile: '/run/token', sourceTimeout: 3 })
  assert.deepEqual(engine.source, {
    type: 'https',
    options: { url: URL_OF_SERVICE, caFile: join(dir, 'ca.crt'), tokenFile: '/run/token', pollSeconds: 5 },
  })
  assert.equal(engine.sourceTimeoutSeconds, 3)
  assert.deepEqual(engine.lastGood, {
    dir: join(dir, 'kept'),
    keyFile: join(dir, 'kept.key'),
  })
  assert.deepEqual(engine.hosts, {
    onDemand: {
      source: { type: 'https', options: { hostsUrl: URL_OF_SERVICE, caFile: join(dir, 'ca.crt') } },
      allow: ['a.example'],
    },
  })
})

test('hosts on demand use the URL of --source, unless the configuration file has another one', async (t) => {
  const flags = { hostsOnDemand: true, allow: ['*.example'] }
  const byFlag = await resolveConfig({ ...flags, source: URL_OF_SERVICE })
  assert.deepEqual(byFlag.engine.source?.options, { url: URL_OF_SERVICE, hostsUrl: URL_OF_SERVICE })
  assert.deepEqual(byFlag.engine.hosts, { onDemand: { source: true, allow: ['*.example'] } })
  const hostsUrl = 'https://certificates.internal/hosts'
  const config = configFile(t, { source: { type: 'https', url: URL_OF_SERVICE, hostsUrl } })
  const byFile = await resolveConfig({ ...flags, config })
  assert.deepEqual(byFile.engine.source?.options, { url: URL_OF_SERVICE, hostsUrl })
})

test('a misspelled flag with the URL of a source is refused without its password', async (t) => {
  const args = ['serve', `--sorce=redis://web:${PASSWORD}@127.0.0.1:1`]
  const { code, stderr } = await certswap(args, { cwd: tempDir(t) })
  assert.equal(code, EXIT.usage)
  assert.match(stderr, /unknown option '--sorce=redis:\/\/…@127\.0\.0\.1:1'/)
})

test('a source that has no address ends serve and check with exit code 2 and one line', async (t) => {
  for (const command of ['serve', 'check']) {
    const env = { SPIFFE_ENDPOINT_SOCKET: '' }
    const { code, stderr } = await certswap([command, '--source', 'spiffe'], { cwd: tempDir(t), env })
    assert.equal(code, EXIT.usage)
    assert.match(stderr, /^certswap: .*SPIFFE_ENDPOINT_SOCKET are not set.*\n$/)
  }
})

function configFile(t: TestContext, content: object): string {
  const path = join(tempDir(t), 'certswap.json')
  writeFileSync(path, JSON.stringify(content))
  return path
}

/** The error of flags that are refused before or while the sources are created. */
async function refusal(flags: ServeFlags): Promise<{ message: string; exitCode: number }> {
  try {
    await withSources((await resolveConfig(flags)).engine)
  } catch (error) {
    if (error instanceof CommandError) return error
    assert.ok(error instanceof ReloadError && error.code === 'OPTIONS_INVALID', String(error))
    return { message: error.message, exitCode: EXIT.usage }
  }
  assert.fail('the flags were accepted')
}
