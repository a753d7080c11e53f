import { execFile, execFileSync } from 'node:child_process'

export interface CurlResult {
  /** Exit code of curl. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const version = curlVersion()

/** For the `skip` of a test: `false`, or the reason why it cannot run here. */
export const withoutCurl: false | string = version === '' ? 'needs curl: apt-get install curl' : false

/** The same for a test of HTTP/2. */
export const withoutCurlHttp2: false | string = / HTTP2 /.test(version)
  ? false
  : 'needs a curl that speaks HTTP/2: apt-get install curl'

/** Runs the real curl, quietly and with a time limit. */
export function curl(...args: string[]): Promise<CurlResult> {
  return new Promise((resolve) => {
    execFile('curl', ['-sS', '--max-time', '60', ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

function curlVersion(): string {
  try {
    return execFileSync('curl', ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
  } catch {
    return ''
  }
}
