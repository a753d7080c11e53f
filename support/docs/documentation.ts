import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

/** The cells of the table whose first column has this title. @param head - `1` for the titles as the first row. */
export function tableOf(page: string, title: string, head: 0 | 1 = 0): string[][] {
  const lines = textOf(page).split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${title} |`))
  assert.notEqual(start, -1, `docs/${page} has a table of ${title}`)
  const rows = lines.slice(start + 2)
  const end = rows.findIndex((line) => !line.startsWith('|'))
  return [...lines.slice(start, start + head), ...rows.slice(0, end)].map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** The text of each code block of a language. */
export function blocksOf(page: string, language: string): string[] {
  const blocks = textOf(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))
  return [...blocks].map(([, block]) => block as string)
}

function textOf(page: string): string {
  return readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8')
}
