import { Argument, Command, CommanderError, Option } from 'commander'

import { printable } from '../../workers/base/printable.js'
import { linesAbout } from '../base/advice.js'
import { ReloadError } from '../base/errors.js'
import { MATERIAL_ROWS, type MaterialKind } from '../base/material-options.js'
import { PACKAGE_VERSION } from '../base/package-version.js'
import { DrainError } from '../drain/errors.js'
import {
  patience,
  positiveSeconds,
  processCount,
  seconds,
  wholeDays,
  wholeNumber,
} from './argument-values.js'
import type { CheckFlags } from './client/check.js'
import { type DrainFlags, drain } from './client/drain.js'
import { type ReloadFlags, type RollbackFlags, reload, rollback } from './client/reload.js'
import { type StatusFlags, status } from './client/status.js'
import type { Shell } from './completion/index.js'
import { definitionOf } from './definitions.js'
import { type DevFlags, initIdentity, rotateIdentity } from './dev-command.js'
import { CommandError, EXIT } from './exit-codes.js'
import type { ServeFlags } from './serve/config.js'

/**
 * Runs the program `certswap`.
 *
 * @returns the exit code, once the command has ended.
 */
export async function runProgram(argv: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(argv)
    return EXIT.done
  } catch (error) {
    return report(error)
  }
}

/**
 * All commands and options: the one definition that help texts, completion scripts and the manual page are made from.
 *
 * @internal
 */
export function createProgram(): Command {
  const program = new Command('certswap')
    .description('TLS certificate hot-reload for Node.js servers')
    .version(PACKAGE_VERSION)
    .showHelpAfterError('(add --help for usage)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError })
    .exitOverride()
  addServe(program)
  addReload(program)
  addRollback(program)
  addDrain(program)
  addStatus(program)
  addCheck(program)
  addDev(program)
  addGenerated(program)
  return program
}

function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('serve TLS with certificates that are reloaded when their files change')
    .option('--config <file>', CONFIG_HELP)
  addMaterial(command)
    .option('--listen <host:port>', 'address to listen on; port 0 picks a free one (default: 127.0.0.1:8443)')
    .option('--upstream <host:port>', 'pass what is in TLS on to this TCP service, or to unix:PATH')
    .option(
      '--processes <count>',
      'processes that serve (default: 1); one more prepares for them',
      processCount,
    )
    .option('--member-timeout <seconds>', MEMBER_TIMEOUT_HELP, positiveSeconds)
    .option('--member-patience <count>', PATIENCE_HELP, patience)
    .option('--control <path>', `control socket (default: ${CONTROL_HELP})`)
    .option('--no-control', 'without a control socket')
    .option('--auto-reload-interval <seconds>', 'seconds between checks, 0 is off (default: 10)', seconds)
    .option('--lame-duck <seconds>', LAME_DUCK_HELP, seconds)
    .option('--drain-deadline <seconds>', DEADLINE_HELP, seconds)
    .addOption(new Option('--on-trust-removed <what>', TRUST_HELP).choices(['keep', 'drain']))
    .addOption(new Option('--log-level <level>', 'least level to log (default: info)').choices(LOG_LEVELS))
    .option('--ffi', 'tell systemd by way of node:ffi (Node 26.1 or newer), which WatchdogSec= needs')
    .action(async (flags: ServeFlags) => {
      // Until the handlers are there, a reload that is asked for must not be the end.
      process.on('SIGHUP', () => {})
      // The engine takes a while to load, and the clients do without it.
      const { serve } = await import('./serve/serve.js')
      await serve(flags)
    })
}

function addReload(program: Command): void {
  addActing(program.command('reload'))
    .description('have a server look at its certificate files now, and say what came of it')
    .option('--force', 'let the files past what the policy rejects, never past what cannot serve')
    .option('--dry-run', 'validate only; nothing is swapped')
    .option('--context <name>', 'answer for one server name alone, or for `default`')
    .action((flags: ReloadFlags) => reload(flags))
}

function addRollback(program: Command): void {
  addActing(program.command('rollback'))
    .description(
      'have a server serve an earlier certificate again, until its files change; CAs and CRLs stay',
    )
    .argument('[generation]', 'number of the generation (default: the one before)', wholeNumber)
    .option('--trust', 'also restore the CAs, CRLs and client-certificate policy of that generation')
    .action((generation: number | undefined, flags: RollbackFlags) => rollback(generation, flags))
}

function addDrain(program: Command): void {
  addClient(program.command('drain'))
    .description(
      'take a server out of service: its connections are told to go, and it ends with the last of them',
    )
    .option('--uri <uri>', 'where clients should go instead: https: or wss:')
    .option('--deadline <seconds>', 'seconds until what still runs is cut, 0 is at once', seconds)
    .option('--lame-duck <seconds>', 'seconds to serve on before, not ready, with open listeners', seconds)
    .option('--wait', 'wait until it has ended; exit code 6 when connections were cut')
    .option('--timeout <seconds>', 'seconds to wait for an answer', positiveSeconds, 600)
    .addOption(
      new Option('--force', 'cut what is left of the drain that is on').conflicts([
        'uri',
        'deadline',
        'lameDuck',
      ]),
    )
    .addOption(
      new Option('--cancel', 'take it back, while it is a lame duck').conflicts([
        'force',
        'wait',
        'uri',
        'deadline',
        'lameDuck',
      ]),
    )
    .action((flags: DrainFlags) => drain(flags))
}

function addStatus(program: Command): void {
  addClient(program.command('status'))
    .description('show what a server serves and how its last reloads ended')
    .option('--watch', 'show it again and again, until interrupted')
    .option('--interval <seconds>', 'seconds between two looks of --watch', positiveSeconds, 2)
    .action((flags: StatusFlags) => status(flags))
}

function addCheck(program: Command): void {
  const command = program
    .command('check')
    .description('validate files as a start or a reload would; needs no server')
    .option('--config <file>', CONFIG_HELP)
  addMaterial(command)
    .option('--json', 'print JSON')
    .action(async (flags: CheckFlags) => {
      const { check } = await import('./client/check.js')
      await check(flags)
    })
}

/** The flags of every command that talks to a server. */
function addClient(command: Command): Command {
  return command
    .option('--control <path>', `control socket of the server (default: ${CONTROL_HELP})`)
    .option('--json', 'print what the server answered')
}

/** The flags of every command that has a server do something. */
function addActing(command: Command): Command {
  return addClient(command).option(
    '--timeout <seconds>',
    'seconds to wait for the result',
    positiveSeconds,
    35,
  )
}

const CONFIG_HELP =
  'JSON file with the options of createReloadEngine, `listen`, `upstream`, `processes`, `memberTimeout`, `memberPatience`, `control`, `lameDuck`, `drainDeadline`, `onTrustRemoved`, `logLevel` and `ffi`'
const MEMBER_TIMEOUT_HELP =
  'seconds that a process may take to build, and to take over, new certificates (default: 10)'
const PATIENCE_HELP =
  'times in a row that processes which do not answer may hold back new certificates, before they are replaced (default: 3)'
const LAME_DUCK_HELP =
  'seconds to serve on after a signal, not ready, with open listeners (default: 0; 5 under Kubernetes)'
const TRUST_HELP =
  'keep or drain connections whose client certificate a reload no longer trusts (default: keep)'
const DEADLINE_HELP = 'seconds after a signal when what still runs is cut, 0 is at once (default: 25)'
const CONTROL_HELP = '$XDG_RUNTIME_DIR/certswap/control.sock, or .certswap/control.sock'
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** Kinds of options with several values: one for each time that the flag is given. */
const REPEATABLE: ReadonlySet<MaterialKind> = new Set(['files', 'patterns', 'hosts'])

/** The flags that say where the material lies: the same for every command that reads it. */
function addMaterial(command: Command): Command {
  for (const { kind, flag } of MATERIAL_ROWS) {
    if (flag === null) continue
    if (REPEATABLE.has(kind)) command.option(flag.name, flag.help, append)
    else command.option(flag.name, flag.help)
  }
  return command
    .addOption(
      new Option('--unknown-hosts <how>', 'what names without a host get').choices(['default', 'refuse']),
    )
    .option('--request-cert', 'ask clients for a certificate and refuse those without')
    .addOption(new Option('--min-version <version>', 'least TLS version').choices(['TLSv1.2', 'TLSv1.3']))
}

function addDev(program: Command): void {
  const dev = program.command('dev').description('a development CA and certificate')
  const common = (command: Command) =>
    command
      .option('--dir <path>', 'directory of the identity', '.certswap')
      .option('--name <name>', 'DNS name or IP address of the certificate; may be given again', append)
      .option('--days <days>', 'days that the certificate is valid (default: 30)', wholeDays)
  common(dev.command('init'))
    .description('make a CA and a certificate for localhost')
    .option('--force', 'replace an identity that is there')
    .option('--ml-dsa', 'make a second pair with an ML-DSA key, for TLS 1.3 (Node 24.6 or later)')
    .action((flags: DevFlags) => initIdentity(flags))
  common(dev.command('rotate'))
    .description('renew the certificate, written the way a renewal writes it')
    .action((flags: DevFlags) => rotateIdentity(flags))
}

/** What is made from these very definitions. */
function addGenerated(program: Command): void {
  program
    .command('completion')
    .description('print a script that lets a shell complete commands and flags')
    .addArgument(new Argument('<shell>', 'shell to print it for').choices(SHELLS))
    .action(async (shell: Shell) => {
      const { completionScript } = await import('./completion/index.js')
      process.stdout.write(completionScript(shell, definitionOf(program)))
    })
  program
    .command('man')
    .description('print the manual page, for `man -l -`')
    .action(async () => {
      const { manualPage } = await import('./manual-page.js')
      process.stdout.write(manualPage(definitionOf(program), PACKAGE_VERSION))
    })
}

const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish']

function append(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}

/** What commander has to say of the command line quotes it; the suggestion that may follow is its own. */
function outputError(text: string, write: (text: string) => void): void {
  for (const line of text.trimEnd().split(/\n(?=\(Did you mean )/)) write(`${printable(line)}\n`)
}

/** Commander has printed what it had to say. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  if (error instanceof CommandError) return complain(error.lines, error.exitCode)
  if (error instanceof DrainError) return complain([error.message], EXIT.usage)
  if (error instanceof ReloadError) {
    if (error.code === 'OPTIONS_INVALID') return complain([error.message], EXIT.usage)
    return complain(linesAbout(error.problems), EXIT.rejected)
  }
  const { stack = String(error) } = Object(error) as Error
  return complain(['this should not have happened; please report it:', ...stack.split('\n')], EXIT.rejected)
}

function complain(lines: readonly string[], exitCode: number): number {
  for (const line of lines) process.stderr.write(`certswap: ${printable(line)}\n`)
  return exitCode
}
