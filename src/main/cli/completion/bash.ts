import { type CommandDefinition, type ValueDefinition, withDescendants } from '../definitions.js'
import { quote } from './quote.js'

/** For Bash 3.2 and newer; does not need the package bash-completion. */
export function bashCompletion(program: CommandDefinition): string {
  const commands = withDescendants(program)
  return `# Bash completion of certswap. To have it in this shell: source <(certswap completion bash)

_certswap() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command='' i
  COMPREPLY=()
  # An equals sign is a word of its own here.
  if [[ $word == '=' ]]; then
    word=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command \${COMP_WORDS[i]}" in
${commands
  .filter(({ words }) => words.length > 0)
  .map(({ words }) => `      ${quote(parentAndName(words))}) command=${quote(words.join(' '))} ;;\n`)
  .join('')}    esac
  done
  case "$command $previous" in
${pattern(valueOptions(commands, ({ isPath }) => isPath))}) return ;;
  esac
  # From here on, nothing does not mean names of files.
  compopt +o default +o bashdefault 2>/dev/null
  case "$command $previous" in
${choiceCases(commands)}${pattern(valueOptions(commands, ({ isPath, choices }) => !isPath && !choices))}) return ;;
  esac
  local words='' options=''
  case "$command" in
${commands.map(caseOf).join('')}  esac
  if [[ $word == -* || -z $words ]]; then
    words=$options
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}

complete -o bashdefault -o default -F _certswap certswap
`
}

/** The words that are valid where no option value is expected. */
function caseOf({ words: own, commands, options, arguments: values }: CommandDefinition): string {
  const words = [
    ...commands.map(({ words }) => words.at(-1)),
    ...values.flatMap(({ choices }) => choices ?? []),
  ].join(' ')
  const flags = options.flatMap(({ names }) => names).join(' ')
  return `    ${quote(own.join(' '))}) words=${quote(words)} options=${quote(flags)} ;;\n`
}

/** `COMMAND OPTION` for each option with a value of this kind. */
function valueOptions(
  commands: readonly CommandDefinition[],
  wanted: (value: ValueDefinition) => boolean,
): string[] {
  return commands.flatMap(({ words, options }) =>
    options
      .filter(({ value }) => value && wanted(value))
      .flatMap(({ names }) => names.map((name) => `${words.join(' ')} ${name}`)),
  )
}

function choiceCases(commands: readonly CommandDefinition[]): string {
  return commands
    .flatMap(({ words, options }) =>
      options.flatMap(({ names, value }) =>
        value?.choices
          ? [
              `${pattern(names.map((name) => `${words.join(' ')} ${name}`))})\n` +
                `      COMPREPLY=($(compgen -W ${quote(value.choices.join(' '))} -- "$word"))\n      return ;;\n`,
            ]
          : [],
      ),
    )
    .join('')
}

function pattern(alternatives: readonly string[]): string {
  return `    ${alternatives.map(quote).join(' | ')}`
}

function parentAndName(words: readonly string[]): string {
  return `${words.slice(0, -1).join(' ')} ${words.at(-1)}`
}
