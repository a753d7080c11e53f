/*
 * On Deno, a good key was "damaged". What works there now works; what Deno ignores (revocation lists, and changed CAs where a
 * TLS session is resumed) is refused, so no removed client is admitted unnoticed.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { onFirstNodeOnly } from '../../../support/base/one-node.js'
import { commandsIn } from '../../../support/docs/markdown.js'
import { without } from '../../../support/processes/programs.js'
import { assertDocumented, assertRenews, runtimeSite } from '../../../support/processes/runtime-site.js'

/** As on the page: without `-A`. */
const flags = commandsIn('docs/runtimes.md')
  .find((line) => line.startsWith('deno run '))
  ?.split(' ')
  .slice(1, -1)

const options = { skip: onFirstNodeOnly || without('deno') }

for (const kind of ['https', 'http2'] as const) {
  test(
    `on Deno, a node:${kind} server shows renewed certificates, including SNI hosts`,
    options,
    async (t) => {
      await assertRenews(runtimeSite(t, 'deno', flags), kind)
    },
  )
}

const REFUSED = [
  [
    { requestCert: true },
    /^on Deno \S+, `requestCert` is not reliable \(a client whose CA was removed returns/,
  ],
  [{ crl: 'ca.crl' }, /^on Deno \S+, `crl` has no effect/],
] as const

for (const [extra, words] of REFUSED) {
  test(
    `on Deno, the option ${Object.keys(extra)} is refused, because a removed client would be admitted`,
    options,
    async (t) => {
      const site = runtimeSite(t, 'deno', flags)
      site.write('ca.crt', site.authority.certPem)
      site.write('ca.crl', site.authority.crl())
      const { code, message } = await site.refusal('tls', { ca: 'ca.crt', ...extra })
      assert.equal(code, 'RUNTIME_UNSUPPORTED')
      assert.match(message, words)
    },
  )
}

test('on Deno, the table of docs/runtimes.md matches the results of the probe', options, async (t) => {
  await assertDocumented(runtimeSite(t, 'deno', flags), 'Deno')
})
