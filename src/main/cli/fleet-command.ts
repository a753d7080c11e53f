import type { Command } from 'commander'

import { positiveSeconds } from './argument-values.js'
import type { FleetFlags } from './client/fleet.js'

/** Adds `certswap fleet`. */
export function addFleet(program: Command): void {
  program
    .command('fleet')
    .description(
      'show what each replica serves, as reported to Redis; exit code 1 if they differ or one refuses',
    )
    .option('--redis <url>', 'URL of the Redis or Valkey server (default: $REDIS_URL)')
    .option('--password-file <path>', 'file with the password, instead of a password in the URL')
    .option('--ca <path>', 'trust anchors for a URL that begins with rediss:, instead of those of Node')
    .option('--identity <name>', 'limit the table to one identity')
    .option('--prefix <text>', 'beginning of every key', 'certswap:')
    .option('--timeout <seconds>', 'seconds to wait for a response', positiveSeconds, 5)
    .option('--json', 'print JSON')
    .action(async (flags: FleetFlags) => {
      // Loaded here, because other commands need no client of Redis.
      const { fleet } = await import('./client/fleet.js')
      await fleet(flags)
    })
}
