import { type Command, Option } from 'commander'

import { MATERIAL_ROWS, type MaterialKind } from '../base/material-options.js'
import { seconds } from './argument-values.js'

/** Kinds of options with several values: the flag may be repeated. */
const REPEATABLE: ReadonlySet<MaterialKind> = new Set(['files', 'anchors', 'patterns', 'hosts'])

/** The flags that say which material is served, the same for every command that reads it. */
export function addMaterial(command: Command): Command {
  for (const { kind, flag } of MATERIAL_ROWS) {
    if (flag === null) continue
    if (REPEATABLE.has(kind)) command.option(flag.name, flag.help, append)
    else command.option(flag.name, flag.help)
  }
  command
    .addOption(
      new Option('--unknown-hosts <how>', 'response to server names without a host').choices([
        'default',
        'refuse',
      ]),
    )
    .option('--request-cert', 'require a client certificate')
    .addOption(new Option('--min-version <version>', 'minimum TLS version').choices(['TLSv1.2', 'TLSv1.3']))
  return addSource(command)
}

/** Collects the values of a flag that may be repeated. */
export function append(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}

function addSource(command: Command): Command {
  return command
    .option('--source <url>', SOURCE_HELP)
    .option('--source-identity <name>', 'what the source delivers: the identity in Redis, or the SPIFFE ID')
    .option('--source-ca <path>', 'PEM file of the only CAs trusted for an https: or rediss: source')
    .option('--source-token-file <path>', 'file with the bearer token for an https: source')
    .option('--source-password-file <path>', 'file with the password for a redis: or rediss: source')
    .option('--source-timeout <seconds>', 'time limit of one read of the source (default: 10)', seconds)
    .option('--start-timeout <seconds>', 'how long the start waits for the source (default: 60)', seconds)
    .option('--last-good <path>', 'directory that keeps the served material for a start without the source')
    .option('--last-good-key-file <path>', 'file with the 32 bytes that encrypt what --last-good keeps')
    .option('--hosts-on-demand', 'request SNI hosts from the source when clients connect; needs --allow')
    .option('--allow <name>', ALLOW_HELP, append)
}

const SOURCE_HELP =
  'source of the certificates, instead of files: spiffe, spiffe:unix:///PATH, https://HOST/PATH, redis://HOST or rediss://HOST'
const ALLOW_HELP =
  'host that may be requested on demand: a DNS name, *. and a DNS name for all names below it, or *; may be repeated'
