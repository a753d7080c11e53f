import { CommandError, EXIT } from './exit-codes.js'

/**
 * Loads an optional package.
 *
 * @throws CommandError that says how to install it.
 */
export async function ifInstalled<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const lines = [`the package ${name} cannot be loaded`, `run: npm install ${name}`]
    throw new CommandError(EXIT.usage, lines, { cause })
  }
}
