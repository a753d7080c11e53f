/* kafkajs, with a TLS server that does not know the protocol of Kafka: there is no package of a broker. */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Kafka, logLevel } from 'kafkajs'

import { openHandshakes } from '../../../support/clients/handshake-site.js'

const PATIENT = { initialRetryTime: 50, maxRetryTime: 50, retries: 1000 }

test('kafkajs shows the certificate in service whenever it connects again, and refuses a broker of a removed CA', {
  timeout: 60_000,
}, async (t) => {
  const site = await openHandshakes(t)
  const ssl = site.engine.clientOptions()
  const kafka = new Kafka({ brokers: [`localhost:${site.server.port}`], ssl, logLevel: logLevel.NOTHING })
  const patient = kafka.producer({ retry: PATIENT })
  t.after(() => patient.disconnect())
  const connecting = patient.connect()
  connecting.catch(() => {})
  assert.equal(await site.server.next(), site.serial())

  const former = site.serial()
  await site.renew()
  // Handshakes that began before.
  let serial = former
  while (serial === former) serial = await site.server.next()
  assert.equal(serial, site.serial())

  await site.distrust()
  await assert.rejects(
    kafka.producer({ retry: { retries: 0 } }).connect(),
    /unable to verify the first certificate/,
  )
})
