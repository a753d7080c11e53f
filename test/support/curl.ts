import { execFile, execFileSync } from 'node:child_process'

export interface CurlResult {
  /** curl's exit code. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** For the `skip` of a test: `false`, or why it cannot run here. */
export const withoutCurl: false | string = hasCurl() ? false : 'needs curl: apt-get install curl'

/** The real curl, quiet, and never for longer than a test lasts. */
export function curl(...args: string[]): Promise<CurlResult> {
  return new Promise((resolve) => {
    execFile('curl', ['-sS', '--max-time', '60', ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
