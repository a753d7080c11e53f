import assert from 'node:assert/strict'
import { constants } from 'node:crypto'
import { test } from 'node:test'

import { type ContextOptions, createReloadEngine } from '../../src/main/index.js'
import { recordingLogger } from '../../support/base/recording-logger.js'
import { dhparam, rsaOnly, ticketSecret, toleratedDhparam, twoPairs, unusualOptions } from './rows/options.js'
import { runCorpus } from './run-corpus.js'
import { createSite, pairOptions, rightPair } from './site.js'

runCorpus([dhparam, toleratedDhparam, ...rsaOnly, ...unusualOptions, twoPairs, ticketSecret])

const nothingLeft: Record<string, ContextOptions> = {
  'both versions turned off by flags': {
    secureOptions: constants.SSL_OP_NO_TLSv1_2 | constants.SSL_OP_NO_TLSv1_3,
  },
  'TLS 1.3 only, which is turned off': {
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TLSv1_3,
  },
  'TLS 1.2 only, with suites of TLS 1.3': { maxVersion: 'TLSv1.2', ciphers: 'TLS_AES_128_GCM_SHA256' },
  'a suite that does not exist': { ciphers: 'ECDHE-NOTHING' },
  'a curve that does not exist': { ecdhCurve: 'P-1' },
  'a signature that does not exist': { sigalgs: 'md4' },
}
for (const [title, tls] of Object.entries(nothingLeft)) {
  test(`options under which nothing can be served are refused at the start: ${title}`, async (t) => {
    const site = createSite(t)
    rightPair(site)
    const start = createReloadEngine({ ...pairOptions(site), tls, logger: recordingLogger() })
    await assert.rejects(start, { name: 'ReloadError', code: 'REHEARSAL_FAILED' })
  })
}
