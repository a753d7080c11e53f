import {
  type CommandDefinition,
  type OptionDefinition,
  type ValueDefinition,
  withDescendants,
} from '../definitions.js'
import { quote } from './quote.js'

/** For Zsh 5: a file `_certswap` in a directory of `$fpath`, or sourced after compinit. */
export function zshCompletion(program: CommandDefinition): string {
  return `#compdef certswap
# Zsh completion of certswap. To have it in this shell: source <(certswap completion zsh)

${withDescendants(program).map(functionOf).join('\n')}
if [[ $funcstack[1] == _certswap ]]; then
  _certswap "$@"
else
  compdef _certswap certswap
fi
`
}

function functionOf(command: CommandDefinition): string {
  const { commands, options, arguments: values } = command
  const specs = [...options.map(optionSpec), ...values.map(argumentSpec)]
  if (commands.length === 0) return `${nameOf(command)}() {\n  _arguments ${joined(specs)}\n}\n`
  const list = commands.map(({ words, description }) =>
    quote(`${words.at(-1)}:${description.replaceAll(':', '\\:')}`),
  )
  return `${nameOf(command)}() {
  local context state state_descr line
  local -A opt_args
  _arguments -C ${joined([...specs, quote('1: :->command'), quote('*:: :->rest')])}
  case $state in
    command)
      local -a commands=(${list.map((line) => `\n        ${line}`).join('')}
      )
      _describe command commands ;;
    rest)
      case $line[1] in
${commands.map((one) => `        ${one.words.at(-1)}) ${nameOf(one)} ;;\n`).join('')}      esac ;;
  esac
}
`
}

function nameOf({ words }: CommandDefinition): string {
  return ['_certswap', ...words].join('_')
}

/** Every option may be repeated; the program itself reports invalid combinations. */
function optionSpec({ names, description, value }: OptionDefinition): string {
  const explained = `[${description.replace(/[[\]\\]/g, '\\$&')}]`
  const follows = value ? `:${messageOf(value)}:${actionOf(value)}` : ''
  return names.map((name) => quote(`*${name}${explained}${follows}`)).join(' ')
}

function argumentSpec(value: ValueDefinition): string {
  return quote(`:${messageOf(value)}:${actionOf(value)}`)
}

function messageOf({ description }: ValueDefinition): string {
  return description.replace(/[:\\]/g, '\\$&')
}

function actionOf({ choices, isPath }: ValueDefinition): string {
  if (choices) return `(${choices.join(' ')})`
  return isPath ? '_files' : ' '
}

function joined(specs: readonly string[]): string {
  return specs.map((spec) => `\\\n    ${spec}`).join(' ')
}
