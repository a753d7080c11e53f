import { spawnSync } from 'node:child_process'

/** A program of this machine, by name and version; `undefined` when it is not installed. */
export interface Program {
  readonly path: string
  readonly version: string
}

/** Debian puts servers where the PATH of an ordinary user does not lead. */
const PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`

export function findProgram(name: string, versionFlag: string): Program | undefined {
  const { stdout } = spawnSync('which', [name], { encoding: 'utf8', env: { PATH } })
  const path = stdout?.trim()
  if (!path) return undefined
  const asked = spawnSync(path, [versionFlag], { encoding: 'utf8' })
  const version = /\d+\.\d+(\.\d+)?/.exec(asked.stdout + asked.stderr)?.[0] ?? 'of unknown version'
  return { path, version }
}
