import { Argument, Command, CommanderError, Option } from 'commander'

import { printable } from '../../workers/base/printable.js'
import { linesAbout } from '../base/advice.js'
import { ReloadError } from '../base/errors.js'
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
import { addFleet } from './fleet-command.js'
import { addMaterial, append } from './material-flags.js'
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
 * All commands and options: the single definition from which help texts, completion scripts and the manual page are generated.
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
  addFleet(program)
  addDev(program)
  addGenerated(program)
  return program
}

function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('serve TLS with certificates that are reloaded when their files or their source change')
    .option('--config <file>', CONFIG_HELP)
  addMaterial(command)
    .option(
      '--listen <host:port>',
      'address to listen on; port 0 selects a free one (default: 127.0.0.1:8443)',
    )
    .option('--upstream <host:port>', 'forward the decrypted stream to this TCP service, or to unix:PATH')
    .option(
      '--processes <count>',
      'number of serving processes (default: 1); with several, one more prepares certificates',
      processCount,
    )
    .option('--member-timeout <seconds>', MEMBER_TIMEOUT_HELP, positiveSeconds)
    .option('--member-patience <count>', PATIENCE_HELP, patience)
    .option('--control <path>', `control socket (default: ${CONTROL_HELP})`)
    .option('--no-control', 'do not open a control socket')
    .option(
      '--auto-reload-interval <seconds>',
      'seconds between checks, 0 disables them (default: 10)',
      seconds,
    )
    .option('--lame-duck <seconds>', LAME_DUCK_HELP, seconds)
    .option('--drain-deadline <seconds>', DEADLINE_HELP, seconds)
    .addOption(new Option('--on-trust-removed <what>', TRUST_HELP).choices(['keep', 'drain']))
    .addOption(new Option('--log-level <level>', 'minimum log level (default: info)').choices(LOG_LEVELS))
    .option('--ffi', 'send messages to systemd with node:ffi (Node 26.1 or newer), required for WatchdogSec=')
    .action(async (flags: ServeFlags) => {
      // Until the handlers are installed, a SIGHUP must not end the process.
      process.on('SIGHUP', () => {})
      // Loaded here, because the engine takes time to load and the client commands do not need it.
      const { serve } = await import('./serve/serve.js')
      await serve(flags)
    })
}

function addReload(program: Command): void {
  addActing(program.command('reload'))
    .description('make a server check its certificate files, or its source, now, and print the outcome')
    .option('--force', 'accept files that the policy would reject; unusable files are still refused')
    .option('--dry-run', 'validate without a swap')
    .option('--context <name>', 'limit the answer to one server name, or to `default`')
    .action((flags: ReloadFlags) => reload(flags))
}

function addRollback(program: Command): void {
  addActing(program.command('rollback'))
    .description(
      'make a server serve an earlier certificate again, until its files change; CAs and CRLs stay in force',
    )
    .argument('[generation]', 'number of the generation (default: the previous one)', wholeNumber)
    .option('--trust', 'also restore the CAs, CRLs and client-certificate policy of that generation')
    .action((generation: number | undefined, flags: RollbackFlags) => rollback(generation, flags))
}

function addDrain(program: Command): void {
  addClient(program.command('drain'))
    .description(
      'take a server out of service: it asks its connections to close, and ends when the last one has closed',
    )
    .option('--uri <uri>', 'address of another server for the clients: https: or wss:')
    .option(
      '--deadline <seconds>',
      'seconds until the remaining connections are cut, 0 cuts them at once',
      seconds,
    )
    .option(
      '--lame-duck <seconds>',
      'seconds to keep accepting connections before, while reporting not ready',
      seconds,
    )
    .option('--wait', 'wait for the end of the drain; exit code 6 if connections were cut')
    .option('--timeout <seconds>', 'seconds to wait for a response', positiveSeconds, 600)
    .addOption(
      new Option('--force', 'cut the remaining connections of the current drain').conflicts([
        'uri',
        'deadline',
        'lameDuck',
      ]),
    )
    .addOption(
      new Option('--cancel', 'cancel a drain that is still in its lame-duck phase').conflicts([
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
    .description('show the certificates in service and the outcome of the last reloads')
    .option('--exit-zero', 'exit with 0 also while what is on disk is not in service')
    .option('--watch', 'repeat until interrupted')
    .option('--interval <seconds>', 'seconds between updates of --watch', positiveSeconds, 2)
    .action((flags: StatusFlags) => status(flags))
}

function addCheck(program: Command): void {
  const command = program
    .command('check')
    .description('validate files, or what a source delivers, as a start or a reload would, without a server')
    .option('--config <file>', CONFIG_HELP)
  addMaterial(command)
    .addOption(
      new Option('--purpose <what>', 'what the certificate is for (default: server)').choices([
        'server',
        'client',
      ]),
    )
    .option('--peer <path>', 'PEM file of a client certificate: whether this client may connect, and why not')
    .option('--json', 'print JSON')
    .action(async (flags: CheckFlags) => {
      const { check } = await import('./client/check.js')
      await check(flags)
    })
}

/** The flags of every client command. */
function addClient(command: Command): Command {
  return command
    .option('--control <path>', `control socket of the server (default: ${CONTROL_HELP})`)
    .option('--json', 'print the answer of the server as JSON')
}

/** The flags of the client commands that start a pass. */
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
  'seconds that a process may take to build, and again to commit, new certificates (default: 10)'
const PATIENCE_HELP =
  'consecutive attempts that processes may block by not answering, before they are replaced (default: 3)'
const LAME_DUCK_HELP =
  'seconds to keep accepting connections, while reporting not ready, after a signal (default: 0; 5 in Kubernetes)'
const TRUST_HELP =
  'keep or drain connections whose client certificate a reload no longer trusts (default: keep)'
const DEADLINE_HELP =
  'seconds after a signal until the remaining connections are cut, 0 cuts them at once (default: 25)'
const CONTROL_HELP = '$XDG_RUNTIME_DIR/certswap/control.sock, or .certswap/control.sock'
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

function addDev(program: Command): void {
  const dev = program.command('dev').description('a development CA and certificate')
  const common = (command: Command) =>
    command
      .option('--dir <path>', 'directory of the identity', '.certswap')
      .option('--name <name>', 'DNS name or IP address of the certificate; may be repeated', append)
      .option('--days <days>', 'lifetime of the certificate in days (default: 30)', wholeDays)
  common(dev.command('init'))
    .description('create a CA and a certificate for localhost')
    .option('--force', 'replace an existing identity')
    .option('--ml-dsa', 'create a second pair with an ML-DSA key, for TLS 1.3 (Node 24.6 or later)')
    .action((flags: DevFlags) => initIdentity(flags))
  common(dev.command('rotate'))
    .description('renew the certificate, and write it as a real renewal does')
    .action((flags: DevFlags) => rotateIdentity(flags))
}

/** The commands whose output is generated from these definitions. */
function addGenerated(program: Command): void {
  program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
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

/** Prints a message of commander, which may quote the command line; a suggestion may follow on a line of its own. */
function outputError(text: string, write: (text: string) => void): void {
  for (const line of withoutPasswords(text.trimEnd()).split(/\n(?=\(Did you mean )/)) {
    write(`${printable(line)}\n`)
  }
}

/** A misspelled flag is quoted with its value, which may be the URL of a source. */
function withoutPasswords(text: string): string {
  return text.replace(/(:\/\/)[^\s/]*@/g, '$1…@')
}

/** Prints an error, unless commander has printed it, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  if (error instanceof CommandError) return complain(error.lines, error.exitCode)
  if (error instanceof DrainError) return complain([error.message], EXIT.usage)
  if (error instanceof ReloadError) {
    if (error.code === 'OPTIONS_INVALID') return complain([error.message], EXIT.usage)
    return complain(linesAbout(error.problems), EXIT.rejected)
  }
  const { stack = String(error) } = Object(error) as Error
  return complain(['unexpected error; please report it:', ...stack.split('\n')], EXIT.rejected)
}

function complain(lines: readonly string[], exitCode: number): number {
  for (const line of lines) process.stderr.write(`certswap: ${printable(line)}\n`)
  return exitCode
}
