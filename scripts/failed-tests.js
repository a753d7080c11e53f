// A reporter for node:test that says only what failed, so that it can be repeated below whatever came after it:
// the title, where it stands, and why.

import { inspect } from 'node:util'

// biome-ignore lint/style/noDefaultExport: node:test takes a reporter by it
export default async function* failedTests(events) {
  for await (const { type, data } of events) {
    if (type === 'test:fail') {
      yield `✖ ${data.name} (${data.file ?? 'no file'}:${data.line ?? 0})\n${indented(reason(data.details.error))}\n`
    }
  }
}

/** What the test threw; the runner wraps it. */
function reason(error) {
  const cause = error.cause ?? error
  return typeof cause === 'string' ? cause : inspect(cause)
}

function indented(text) {
  return text.replace(/^/gm, '    ')
}
