import { spawnSync } from 'node:child_process'

/** A program of this machine with its version; `undefined` if it is not installed. */
export interface Program {
  readonly path: string
  readonly version: string
}

export function findProgram(name: string, versionFlag: string): Program | undefined {
  const { PATH: path = '' } = process.env
  // Debian installs servers in directories that are not in the PATH of ordinary users.
  const env = { PATH: `${path}:/usr/local/sbin:/usr/sbin:/sbin` }
  const { stdout } = spawnSync('which', [name], { encoding: 'utf8', env })
  const found = stdout?.trim()
  if (!found) return undefined
  const asked = spawnSync(found, [versionFlag], { encoding: 'utf8' })
  const version = /\d+\.\d+(\.\d+)?/.exec(asked.stdout + asked.stderr)?.[0] ?? 'of unknown version'
  return { path: found, version }
}
