import { spawnSync } from 'node:child_process'

const { stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' })

/** For the option `skip` of a test that uses the openssl program: `false`, or why it cannot run here. */
export const withoutOpenssl: string | false = /^OpenSSL [3-9]/.test(stdout ?? '')
  ? false
  : 'needs openssl 3: apt-get install openssl'
