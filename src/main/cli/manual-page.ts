import { type CommandDefinition, type OptionDefinition, withDescendants } from './definitions.js'
import { EXIT, EXIT_MEANINGS } from './exit-codes.js'

/** The manual page certswap(1), in man(7) format. */
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
  'certswap serves TLS with certificates that are reloaded when their files change, without a restart or a ' +
    'pause. A separate thread reads and validates each new set, and tries it in a TLS handshake. Then the set is swapped ' +
    'in at once, or refused with the reason; until then, and after a refusal, the old certificate stays in service.',
  'Commands for a running server connect to its control socket, and print the answer.',
]

type Entries = readonly (readonly [term: string, meaning: string])[]

const SIGNALS: Entries = [
  ['SIGHUP', 'The server reloads. The outcome is in its log and in its status.'],
  [
    'SIGTERM, SIGINT',
    'The server drains: it finishes requests in flight, and ends. A second signal ends it at once.',
  ],
]

const ENVIRONMENT: Entries = [
  ['XDG_RUNTIME_DIR', 'Directory of the control socket by default.'],
  ['NO_COLOR', 'Disables colours, which are used on terminals only.'],
  ['SPIFFE_ENDPOINT_SOCKET', 'Address of the agent for --source spiffe.'],
  ['NOTIFY_SOCKET', 'Address to which the server reports its state; set by systemd.'],
]

const FILES: Entries = [
  ['$XDG_RUNTIME_DIR/certswap/control.sock', 'The control socket.'],
  ['.certswap/control.sock', 'The control socket without a runtime directory.'],
  ['/run/certswap/control.sock', 'The last path that clients try: the control socket of the systemd unit.'],
  [
    '.certswap/tls.crt, tls.key, ca.crt',
    'The development identity that serve creates if no certificate is given.',
  ],
]

const EXAMPLES: Entries = [
  [
    'Serve on port 443 and check the files every ten seconds:',
    'certswap serve --listen :443 --cert tls.crt --key tls.key',
  ],
  ['Reload now, and print the outcome:', 'certswap reload'],
  [
    'The same with curl:',
    'curl -sS --fail-with-body --unix-socket .certswap/control.sock -X POST http://localhost/reload_certs',
  ],
  ['Validate a renewal before it is installed:', 'certswap check --cert new.crt --key new.key'],
  [
    'Serve certificates from Redis, also while it is down at the start:',
    'certswap serve --source redis://redis.internal --source-password-file password --source-identity web --last-good kept',
  ],
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

/** The usage without the name. */
function argumentsOf(command: CommandDefinition): string {
  return command.usage.replace(nameOf(command), '').trim()
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1)
  return begun.endsWith('.') ? begun : `${begun}.`
}

/** Escapes text: hyphens stay copyable, and no line is read as a roff request. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/, '\\&$&')
}

function quoted(text: string): string {
  return `"${escaped(text).replaceAll('"', '\\(dq')}"`
}
