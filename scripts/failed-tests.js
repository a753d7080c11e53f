// A reporter for node:test that prints only the failed tests, so that they can be repeated at the end of the output: title,
// location and reason.

import { inspect } from 'node:util'

// biome-ignore lint/style/noDefaultExport: node:test requires it of a reporter
export default async function* failedTests(events) {
  for await (const { type, data } of events) {
    if (type === 'test:fail') {
      yield `✖ ${data.name} (${data.file ?? 'no file'}:${data.line ?? 0})\n${indented(reason(data.details.error))}\n`
    }
  }
}

/** The error that the test threw, which the runner wraps. */
function reason(error) {
  const cause = error.cause ?? error
  return typeof cause === 'string' ? cause : inspect(cause)
}

function indented(text) {
  return text.replace(/^/gm, '    ')
}
