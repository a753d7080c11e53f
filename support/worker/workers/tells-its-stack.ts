/** Who made this module run, as far as they wait for it. */
const stack = new Error().stack ?? ''

export function prepare(): string {
  return stack
}
