import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

export interface DocumentedError {
  readonly meaning: string
  readonly remedy: string
  /** The message, with `/etc/tls` instead of every temporary directory. */
  readonly example: string
}

/** The table of `docs/errors.md`, by code. */
export function documentedErrors(): Map<string, DocumentedError> {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.map((row) => {
      const [code = '', meaning = '', remedy = '', example = ''] = row
        .slice(1, -1)
        .split(' | ')
        .map((cell) => cell.trim())
      return [code.replaceAll('`', ''), { meaning, remedy, example: example.replace(/^`+ ?| ?`+$/g, '') }]
    }),
  )
}

/** The messages that the page lists below its table: about storage, threads, pairs, keys and trust anchors. */
export function documentedMessages(): { readonly code: string; readonly message: string }[] {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
  return [...page.matchAll(/^- `([A-Z_]+)`: `+(.*?)`+$/gm)].map(([, code = '', message = '']) => ({
    code,
    message,
  }))
}

/** Asserts that the page lists a message. */
export function assertListed({ code, message }: { code: string; message: string }, dir: string): void {
  const shown = asDocumented(message, dir)
  const listed = documentedMessages().filter((one) => one.code === code)
  assert.ok(
    listed.some((one) => one.message === shown),
    `docs/errors.md lists no ${code}: ${shown}`,
  )
}

/** A message with the paths of the documentation. */
export function asDocumented(message: string, dir: string): string {
  return message.replaceAll(dir, '/etc/tls').replaceAll(/(127\.0\.0\.1):\d+/g, '$1:8443')
}
