import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { projectRoot } from '../processes/installed-package.js'

export interface Block {
  readonly language: string
  readonly text: string
}

/** The code blocks of a page. `page` is relative to the root of the project. */
export function blocksIn(page: string): Block[] {
  const text = readFileSync(join(projectRoot, page), 'utf8')
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', block = '']) => ({
    language,
    text: block,
  }))
}

/** The commands of a page's shell blocks, one per line, without comments. */
export function commandsIn(page: string): string[] {
  return blocksIn(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.trim().split('\n'))
    .map((line) => line.replace(/\s+#.*$/, ''))
}
