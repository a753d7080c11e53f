import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

import type { BenchOptions } from './bench.js'

/** The text of `--help`. */
export function usage(known: readonly string[]): string {
  return `npm run bench -- [options]
  --scope A,B     only these: ${known.join(', ')}
  --quick         all of it within three minutes, with small samples
  --rounds N      rounds of every measurement (5; 1 with --quick); without --scope, fewer of some
  --node PATH     the Node that the measured servers run on
  --out FILE      where the result is kept (bench/results/node-<major>.json)
  --json          prints the result as JSON instead of tables
  --help`
}

export interface CommandLine extends BenchOptions {
  readonly json: boolean
  readonly out: string | undefined
  readonly help: boolean
}

/** @throws TypeError with the expected value. */
export function parseCommandLine(args: readonly string[], known: readonly string[]): CommandLine {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scope: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      node: { type: 'string', default: process.execPath },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const scopes = values.scope?.split(',') ?? known
  const unknown = scopes.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new TypeError(`--scope: expected some of ${known.join(',')}, got '${unknown}'`)
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new TypeError(`--rounds: expected a whole number from 1, got '${values.rounds}'`)
  const { quick, out, json, help } = values
  // Absolute, because some measured programs run in their own directory.
  const node = resolve(values.node)
  return { scopes, whole: values.scope === undefined, quick, node, rounds, out, json, help }
}

/** @throws TypeError if there is no such program. */
export function assertExecutable(node: string): void {
  try {
    accessSync(node, constants.X_OK)
  } catch {
    throw new TypeError(`--node: expected the path of a program, got '${node}'`)
  }
}
