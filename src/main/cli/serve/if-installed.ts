import { CommandError, EXIT } from '../exit-codes.js'

/**
 * Loads an optional package.
 *
 * @throws CommandError that says how to install it.
 */
export async function ifInstalled<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const message = `the package ${name} cannot be loaded, and the source needs it; install it with: npm install ${name}`
    throw new CommandError(EXIT.rejected, message, { cause })
  }
}
