import type { Argument, Command, Option } from 'commander'

/** A command, from which completion scripts and the manual page are generated. */
export interface CommandDefinition {
  /** The words after the name of the program; empty for the program itself. */
  readonly words: readonly string[]
  readonly description: string
  /** As in the help, with the name of the program. */
  readonly usage: string
  readonly options: readonly OptionDefinition[]
  readonly arguments: readonly ValueDefinition[]
  readonly commands: readonly CommandDefinition[]
}

export interface OptionDefinition {
  /** All spellings: `-V` and `--version`. */
  readonly names: readonly string[]
  /** Includes the default, if there is one. */
  readonly description: string
  /** The value of the option; `null` for a flag. */
  readonly value: ValueDefinition | null
}

export interface ValueDefinition {
  readonly name: string
  /** The name of an option's value. */
  readonly description: string
  /** The allowed values; `null` for any. */
  readonly choices: readonly string[] | null
  /** Whether it is the name of a file or directory. */
  readonly isPath: boolean
}

/** All commands and options, from the definitions of the help. */
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

/** A command and all its subcommands, in the order of the help. */
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
