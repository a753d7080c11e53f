import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'

import { type PairFiles, writePair } from '../files/files.js'
import { createAuthority } from '../material/certificates.js'
import { freePort } from './free-port.js'

const missing = ['certbot', 'pebble'].filter((name) => spawnSync(name, ['--help']).error)

/** For the option `skip` of a test with a real issuer: `false`, or why it cannot run here. */
export const withoutAcme: string | false =
  missing.length === 0
    ? false
    : `needs ${missing.join(' and ')}: apt-get install --no-install-recommends ${missing.join(' ')}`

export interface AcmeServer {
  readonly directory: string
  /** The CA of its own listener. */
  readonly caFile: string
}

/** Pebble, the test server of Let's Encrypt, on the loopback interface; it accepts every challenge. */
export async function startPebble(t: TestContext, dir: string): Promise<AcmeServer> {
  const port = await freePort()
  const authority = createAuthority()
  const pair = writePair(dir, authority.issue({ names: ['localhost'], ips: ['127.0.0.1'] }))
  const caFile = join(dir, 'ca.crt')
  writeFileSync(caFile, authority.certPem)
  const config = join(dir, 'pebble.json')
  writeFileSync(config, JSON.stringify({ pebble: pebbleConfig(port, pair) }))
  const child = spawn('pebble', ['-config', config], {
    env: {
      ...process.env,
      PEBBLE_VA_ALWAYS_VALID: '1',
      PEBBLE_VA_NOSLEEP: '1',
      PEBBLE_WFE_NONCEREJECT: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const output: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    output.push(line)
    if (line.includes('ACME directory available')) break
  }
  if (child.exitCode !== null) throw new Error(`pebble ended: ${output.join('\n')}`)
  child.stdout.resume()
  return { directory: `https://127.0.0.1:${port}/dir`, caFile }
}

function pebbleConfig(port: number, { cert, key }: PairFiles) {
  return {
    listenAddress: `127.0.0.1:${port}`,
    certificate: cert,
    privateKey: key,
    httpPort: 5002,
    tlsPort: 5001,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
  }
}

export interface CertbotRun {
  readonly code: number | null
  readonly output: string
}

export interface Certbot {
  /** `live/example.test`, the directory that servers use. */
  readonly live: string
  readonly paths: PairFiles
  /** Obtains a certificate for these names, replacing the existing one. */
  issue(names: readonly string[], ...args: readonly string[]): Promise<CertbotRun>
  /** `certbot renew`, even if no renewal is due. */
  renew(...args: readonly string[]): Promise<CertbotRun>
}

/** The real certbot, with all its files below `root`. */
export function certbot(root: string, { directory, caFile }: AcmeServer): Certbot {
  mkdirSync(root)
  const folders = ['config', 'work', 'logs'].flatMap((name) => [`--${name}-dir`, join(root, name)])
  const run = async (command: string, args: readonly string[]): Promise<CertbotRun> => {
    const child = spawn('certbot', [command, '--non-interactive', ...folders, ...args], {
      env: { ...process.env, REQUESTS_CA_BUNDLE: caFile },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [out, errors, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ])
    return { code, output: out + errors }
  }
  const live = join(root, 'config', 'live', 'example.test')
  return {
    live,
    paths: { cert: join(live, 'fullchain.pem'), key: join(live, 'privkey.pem') },
    issue: (names, ...args) =>
      run('certonly', [
        ...['--server', directory, '--agree-tos', '--register-unsafely-without-email'],
        ...['--manual', '--manual-auth-hook', 'true', '--preferred-challenges', 'http'],
        ...['--cert-name', 'example.test', '--force-renewal', '--renew-with-new-domains'],
        ...names.flatMap((name) => ['--domain', name]),
        ...args,
      ]),
    renew: (...args) => run('renew', ['--force-renewal', '--no-random-sleep-on-renew', ...args]),
  }
}
