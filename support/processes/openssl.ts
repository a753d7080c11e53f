import { spawnSync } from 'node:child_process'

const { stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' })

/** Why a test that holds our files against the openssl program's own cannot run; `false` where it can. */
export const withoutOpenssl: string | false = /^OpenSSL [3-9]/.test(stdout ?? '')
  ? false
  : 'needs openssl 3: apt-get install openssl'
