import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'

/**
 * Where `serve` puts its control socket unless told otherwise: into the user's runtime directory, or without one below
 * the working directory.
 */
export function defaultControlPath(env: NodeJS.ProcessEnv = process.env): string {
  return candidates(env)[0] as string
}

/** Where the unit of examples/systemd puts it. */
const OF_THE_SERVICE = '/run/certswap/control.sock'

/** Where a client finds it. A service manager may have started the server without the user's runtime directory. */
export function findControlPath(
  env: NodeJS.ProcessEnv = process.env,
  exists: (path: string) => boolean = existsSync,
): string {
  return [...candidates(env), OF_THE_SERVICE].find(exists) ?? defaultControlPath(env)
}

function candidates({ XDG_RUNTIME_DIR: runtime }: NodeJS.ProcessEnv): string[] {
  const here = join('.certswap', 'control.sock')
  return runtime !== undefined && isAbsolute(runtime)
    ? [join(runtime, 'certswap', 'control.sock'), here]
    : [here]
}
