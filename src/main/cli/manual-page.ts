import { type CommandDefinition, type OptionDefinition, withDescendants } from './definitions.js'
import { EXIT, EXIT_MEANINGS } from './exit-codes.js'

/** The page certswap(1), in the language of man(7). */
export function manualPage(program: CommandDefinition, version: string): string {
  const commands = withDescendants(program).filter(
    ({ commands, words }) => words.length > 0 && commands.length === 0,
  )
  return [
    `.TH CERTSWAP 1 "" ${quoted(`certswap ${version}`)} "User Commands"`,
    '.SH NAME',
    `certswap \\- ${escaped(program.description)}`,
    '.SH SYNOPSIS',
    ...commands.flatMap(synopsisOf),
    '.SH DESCRIPTION',
    ...paragraphs(DESCRIPTION),
    '.SH COMMANDS',
    ...commands.flatMap(sectionOf),
    '.SH OPTIONS OF EVERY COMMAND',
    ...program.options.flatMap(entryOf),
    '.SH SIGNALS',
    ...entries(SIGNALS),
    '.SH EXIT STATUS',
    ...entries(Object.values(EXIT).map((code) => [String(code), EXIT_MEANINGS[code]])),
    '.SH ENVIRONMENT',
    ...entries(ENVIRONMENT),
    '.SH FILES',
    ...entries(FILES),
    '.SH EXAMPLES',
    ...EXAMPLES.flatMap(exampleOf),
    '.SH SEE ALSO',
    '.BR curl (1),',
    '.BR systemctl (1),',
    '.BR systemd.service (5)',
    '',
  ].join('\n')
}

const DESCRIPTION = [
  'certswap serves TLS with certificates that are reloaded when their files change, without a restart and without a ' +
    'pause. Each new set is read, checked and rehearsed in a thread of its own and then swapped in at once, or refused ' +
    'with the reason; until then, and after a refusal, the old certificate is served.',
  'Commands that act on a server ask it by way of its control socket, and say what it has answered.',
]

type Entries = readonly (readonly [term: string, meaning: string])[]

const SIGNALS: Entries = [
  ['SIGHUP', 'The server reloads. What came of it is in its log and in its status.'],
  ['SIGTERM, SIGINT', 'The server drains: it lets what runs finish, and ends. A second one does not wait.'],
]

const ENVIRONMENT: Entries = [
  ['XDG_RUNTIME_DIR', 'Where the control socket is by default.'],
  ['NO_COLOR', 'Turns colours off. They are for terminals only in any case.'],
  ['NOTIFY_SOCKET', 'Where systemd is told of the state of the server; set by systemd.'],
]

const FILES: Entries = [
  ['$XDG_RUNTIME_DIR/certswap/control.sock', 'The control socket.'],
  ['.certswap/control.sock', 'The same, without a runtime directory.'],
  [
    '/run/certswap/control.sock',
    'Where clients look last: that of the service, as its unit for systemd has it.',
  ],
  [
    '.certswap/tls.crt, tls.key, ca.crt',
    'The development identity that serve makes where no certificate is given.',
  ],
]

const EXAMPLES: Entries = [
  [
    'Serve on port 443 and look at the files every ten seconds:',
    'certswap serve --listen :443 --cert tls.crt --key tls.key',
  ],
  ['Reload now, and be told what came of it:', 'certswap reload'],
  [
    'The same without this program:',
    'curl -sS --fail-with-body --unix-socket .certswap/control.sock -X POST http://localhost/reload_certs',
  ],
  ['Ask of a renewal whether it could be served:', 'certswap check --cert new.crt --key new.key'],
]

function synopsisOf(command: CommandDefinition, i: number): string[] {
  return [...(i > 0 ? ['.br'] : []), `.B ${escaped(nameOf(command))}`, escaped(argumentsOf(command))]
}

function sectionOf(command: CommandDefinition): string[] {
  return [
    `.SS ${quoted(`${nameOf(command)} ${argumentsOf(command)}`)}`,
    `${escaped(sentence(command.description))}`,
    ...command.arguments.flatMap(({ name, description, choices }) =>
      entry(`.I ${escaped(name)}`, choices ? `${description}: ${choices.join(', ')}` : description),
    ),
    ...command.options.filter(({ names }) => !names.includes('--help')).flatMap(entryOf),
  ]
}

function exampleOf([what, command]: Entries[number], i: number): string[] {
  return [...(i > 0 ? ['.PP'] : []), escaped(what), '.PP', '.nf', '.RS', escaped(command), '.RE', '.fi']
}

function entryOf({ names, value, description }: OptionDefinition): string[] {
  const flags = names.map((name) => `\\fB${escaped(name)}\\fR`).join(', ')
  return entry(value ? `${flags} \\fI${escaped(value.name)}\\fR` : flags, description)
}

function entries(list: Entries): string[] {
  return list.flatMap(([term, meaning]) => entry(`.B ${escaped(term)}`, meaning))
}

function entry(term: string, meaning: string): string[] {
  return ['.TP', term, escaped(sentence(meaning))]
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, i) => [...(i > 0 ? ['.PP'] : []), escaped(text)])
}

function nameOf({ words }: CommandDefinition): string {
  return ['certswap', ...words].join(' ')
}

/** The part of the usage after the name. */
function argumentsOf(command: CommandDefinition): string {
  return command.usage.replace(nameOf(command), '').trim()
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1)
  return begun.endsWith('.') ? begun : `${begun}.`
}

/** Text as it is: a hyphen that can be copied, and no line that roff takes for one of its own. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/, '\\&$&')
}

function quoted(text: string): string {
  return `"${escaped(text).replaceAll('"', '\\(dq')}"`
}
