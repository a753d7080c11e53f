import { createRequire } from 'node:module'

/** The version of certswap that runs. */
export function packageVersion(): string {
  const require = createRequire(import.meta.url)
  return (require('certswap/package.json') as { version: string }).version
}
