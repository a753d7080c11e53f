/** The JavaScript runtime of this process. */
export interface Runtime {
  readonly name: 'Node.js' | 'Bun' | 'Deno' | 'Electron'
  readonly version: string
}

/** Other runtimes also set `process.versions.node`, to the release of Node that they emulate. */
export function currentRuntime(versions: NodeJS.ProcessVersions = process.versions): Runtime {
  const { bun, deno, electron, node } = versions
  if (bun !== undefined) return { name: 'Bun', version: bun }
  if (deno !== undefined) return { name: 'Deno', version: deno }
  if (electron !== undefined) return { name: 'Electron', version: electron }
  return { name: 'Node.js', version: node }
}
