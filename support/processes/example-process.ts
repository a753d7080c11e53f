import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { projectRoot } from './installed-package.js'
import { type ProcessLines, startNode } from './process-lines.js'

export interface ExampleProcess extends ProcessLines {
  /** Resolves with the SHA-256 fingerprint of its next generation. */
  reloaded(): Promise<string>
}

export interface ExampleOptions {
  readonly dir: string
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a file of `examples/` with the certificates of a directory, which it checks often. */
export function startExample(
  t: TestContext,
  file: string,
  { dir, args = [], env }: ExampleOptions,
): ExampleProcess {
  const lines = startNode(t, [join(projectRoot, 'examples', file), ...args], {
    cwd: dir,
    env: { TLS_DIR: dir, RELOAD_SECONDS: '0.1', ...env },
  })
  return {
    ...lines,
    async reloaded() {
      const line = await lines.next((line) => line.includes('"certificates reloaded"'))
      return (JSON.parse(line) as { fingerprint256: string }).fingerprint256
    },
  }
}
