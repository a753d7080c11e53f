/*
 * The process of `runWithPublicRoot`: runs the cases of a module one after the other, and sends the result of each.
 */

import { type Case, type CaseContext, publicRootHere } from './public-root.js'

const { cases } = (await import(process.argv[2] as string)) as { cases: Record<string, Case> }
const root = publicRootHere()
const results: Record<string, string | null> = {}
for (const [title, run] of Object.entries(cases)) {
  const ends: (() => unknown)[] = []
  const t = { after: (end: () => unknown) => void ends.push(end) } as CaseContext
  results[title] = await run(t, root).then(
    () => null,
    (error: Error) => error.stack ?? String(error),
  )
  for (const end of ends.reverse()) await end()
}
process.send?.(results, () => process.exit())
