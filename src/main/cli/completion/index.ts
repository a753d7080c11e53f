import type { CommandDefinition } from '../definitions.js'
import { bashCompletion } from './bash.js'
import { fishCompletion } from './fish.js'
import { zshCompletion } from './zsh.js'

export type Shell = 'bash' | 'zsh' | 'fish'

const SCRIPTS: Readonly<Record<Shell, (program: CommandDefinition) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
}

/** The script with which a shell completes every command, option and fixed value of the program. */
export function completionScript(shell: Shell, program: CommandDefinition): string {
  return SCRIPTS[shell](program)
}
