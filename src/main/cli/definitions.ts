import type { Argument, Command, Option } from 'commander'

/** A command, as completion scripts and the manual page are made from it. */
export interface CommandDefinition {
  /** What is typed for it after the name of the program; nothing for the program itself. */
  readonly words: readonly string[]
  readonly description: string
  /** As the help shows it, with the name of the program. */
  readonly usage: string
  readonly options: readonly OptionDefinition[]
  readonly arguments: readonly ValueDefinition[]
  readonly commands: readonly CommandDefinition[]
}

export interface OptionDefinition {
  /** What can be typed: `-V` and `--version`. */
  readonly names: readonly string[]
  /** With the default, where there is one. */
  readonly description: string
  /** What follows it; `null` for a flag. */
  readonly value: ValueDefinition | null
}

export interface ValueDefinition {
  readonly name: string
  /** The name of an option's value. */
  readonly description: string
  /** The values that there are; `null` for any. */
  readonly choices: readonly string[] | null
  /** Whether it is the name of a file or directory. */
  readonly isPath: boolean
}

/** Everything that can be typed, from the definitions that the help is made from. */
export function definitionOf(command: Command): CommandDefinition {
  const help = command.createHelp()
  return {
    words: wordsOf(command),
    description: help.commandDescription(command),
    usage: help.commandUsage(command),
    options: help.visibleOptions(command).map((option) => ({
      names: [option.short, option.long].filter((name) => name !== undefined),
      description: help.optionDescription(option),
      value: valueDefinitionOf(option),
    })),
    arguments: help.visibleArguments(command).map(argumentDefinitionOf),
    commands: command.commands.map(definitionOf),
  }
}

/** A command and all below it, in the order of the help. */
export function withDescendants(definition: CommandDefinition): CommandDefinition[] {
  return [definition, ...definition.commands.flatMap(withDescendants)]
}

function wordsOf(command: Command): string[] {
  return command.parent ? [...wordsOf(command.parent), command.name()] : []
}

function valueDefinitionOf({ flags, argChoices }: Option): ValueDefinition | null {
  const [, name] = /<(.+)>$/.exec(flags) ?? []
  return name === undefined
    ? null
    : { name, description: name, choices: argChoices ?? null, isPath: PATHS.includes(name) }
}

const PATHS = ['path', 'file', 'glob']

function argumentDefinitionOf(argument: Argument): ValueDefinition {
  const { description, argChoices } = argument
  return { name: argument.name(), description, choices: argChoices ?? null, isPath: false }
}
