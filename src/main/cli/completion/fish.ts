import { type CommandDefinition, type OptionDefinition, withDescendants } from '../definitions.js'

/** For Fish 3: a file in ~/.config/fish/completions, or sourced. */
export function fishCompletion(program: CommandDefinition): string {
  const commands = withDescendants(program)
  const names = commands
    .filter(({ words }) => words.length > 0)
    .map(({ words }) => quote(`${words.slice(0, -1).join(' ')} ${words.at(-1)}`))
  return `# Fish completion of certswap. To have it in this shell: certswap completion fish | source

# Whether the command that has been typed so far is the one of the arguments.
function __certswap_at
    set -l typed (commandline -opc)
    set -e typed[1]
    set -l command
    for word in $typed
        switch "$command $word"
            case ${names.join(' ')}
                set -a command $word
        end
    end
    test "$command" = "$argv"
end

complete -c certswap -f
${commands.flatMap(linesOf).join('\n')}
`
}

function linesOf({ words, commands, options, arguments: values }: CommandDefinition): string[] {
  const line = (...rest: string[]) =>
    ['complete -c certswap -n', quote(['__certswap_at', ...words].join(' ')), ...rest].join(' ')
  return [
    ...commands.map((one) => line('-a', quote(one.words.at(-1) as string), '-d', quote(one.description))),
    ...values.flatMap(({ choices, description }) =>
      choices ? [line('-a', quote(choices.join(' ')), '-d', quote(description))] : [],
    ),
    ...options.map((option) => line(...wordsOf(option), '-d', quote(option.description))),
  ]
}

function wordsOf({ names, value }: OptionDefinition): string[] {
  const flags = names.flatMap((name) =>
    name.startsWith('--') ? ['-l', name.slice(2)] : ['-s', name.slice(1)],
  )
  if (!value) return flags
  if (value.choices) return [...flags, '-x', '-a', quote(value.choices.join(' '))]
  return [...flags, value.isPath ? '-rF' : '-x']
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`
}
