import { fileURLToPath } from 'node:url'

/** A path in the checkout, which is two folders above the compiled files. */
export function inCheckout(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}
