/* Every kind of answer of a service, and what the source makes of it. Only 204 and 410 state an absence. */

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createAuthority } from '../../../../support/material/certificates.js'
import { type Answer, bundle, pem, status } from '../../../../support/servers/material-service.js'
import { bundleOf, httpsSite } from '../../../../support/sources/https-site.js'

const authority = createAuthority()
const leaf = authority.issue({ names: ['a.example'] })
const PEM = leaf.keyPem + leaf.chainPem

test('the body of the service is delivered unchanged, with its entity tag as version', async (t) => {
  const { read, service } = await httpsSite(t, bundle(leaf, '"7"'))
  const delivery = await read()
  assert.equal(bundleOf(delivery), PEM)
  assert.deepEqual({ ...(delivery as object), pairs: null }, { version: '"7"', pairs: null })
  const [{ url, method, headers } = {}] = service.requests
  assert.equal(`${method} ${url}`, 'GET /identity')
  assert.equal(headers?.authorization, 'Bearer correct-horse-battery-staple-42')
  assert.equal(headers?.['accept-encoding'], 'identity')
})

for (const type of [
  undefined,
  'text/plain; charset=utf-8',
  'application/octet-stream',
  'Application/X-PEM-File',
]) {
  test(`an answer of the type ${type ?? '(none)'} is taken`, async (t) => {
    const { read } = await httpsSite(t, (_request, response) => {
      if (type !== undefined) response.setHeader('content-type', type)
      response.end(PEM)
    })
    assert.equal(bundleOf(await read()), PEM)
  })
}

test('a body in chunks is delivered whole', async (t) => {
  const { read } = await httpsSite(t, (_request, response) => {
    response.setHeader('content-type', 'text/plain')
    for (const line of PEM.split(/(?<=\n)/)) response.write(line)
    response.end()
  })
  assert.equal(bundleOf(await read()), PEM)
})

for (const code of [204, 410]) {
  test(`${code} for the identity withdraws it, and ${code} for a host states that it does not exist`, async (t) => {
    const { refusal, readHost } = await httpsSite(t, status(code))
    assert.equal((await refusal()).code, 'SOURCE_WITHDRAWN')
    assert.equal(await readHost('a.example'), 'none')
  })
}

const refusals: Readonly<Record<string, readonly [string, Answer]>> = {
  '401': ['SOURCE_DENIED', status(401)],
  '403': ['SOURCE_DENIED', status(403)],
  '404, which a wrong path causes too': ['SOURCE_INVALID', status(404)],
  '400': ['SOURCE_INVALID', status(400)],
  '201': ['SOURCE_INVALID', status(201)],
  '304 without a version in the request': ['SOURCE_INVALID', status(304)],
  '408': ['SOURCE_UNREACHABLE', status(408)],
  '429': ['SOURCE_UNREACHABLE', status(429)],
  '500': ['SOURCE_UNREACHABLE', status(500)],
  '503 with a certificate in its body': [
    'SOURCE_UNREACHABLE',
    (_request, response) => response.writeHead(503, { 'content-type': 'text/plain' }).end(PEM),
  ],
  'a page for browsers': ['SOURCE_INVALID', pem(PEM, { 'content-type': 'text/html' })],
  JSON: ['SOURCE_INVALID', pem(JSON.stringify({ key: PEM }), { 'content-type': 'application/json' })],
  'a compressed body': ['SOURCE_INVALID', pem(PEM, { 'content-encoding': 'gzip' })],
  'an empty body': ['SOURCE_INVALID', pem('')],
  'a body without PEM': ['SOURCE_INVALID', pem('no such certificate\n')],
  'a body that is shorter than announced': [
    'SOURCE_INVALID',
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': PEM.length })
      response.write(PEM.slice(0, -100), () => response.destroy())
    },
  ],
  'chunks without the last one': [
    'SOURCE_INVALID',
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write(PEM, () => response.destroy())
    },
  ],
  'a body whose end cannot be verified': [
    'SOURCE_INVALID',
    ({ socket }) => socket.end(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n${PEM}`),
  ],
  'a body that is longer than announced': [
    'SOURCE_INVALID',
    ({ socket }) => socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n${PEM}`),
  ],
  'text that is not HTTP': ['SOURCE_INVALID', ({ socket }) => socket.end(`+OK ${PEM}\r\n\r\n`)],
  'a header without end': [
    'SOURCE_INVALID',
    ({ socket }) => socket.end(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(50_000)}`),
  ],
  'a switch to another protocol': [
    'SOURCE_UNREACHABLE',
    ({ socket }) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
  ],
  'the end of the connection': ['SOURCE_UNREACHABLE', ({ socket }) => socket.destroy()],
}
for (const [what, [code, answer]] of Object.entries(refusals)) {
  test(`${what} gives ${code}, also for a host, and no message quotes the answer`, async (t) => {
    const { refusal, readHost } = await httpsSite(t, answer)
    for (const error of [await refusal(), await refusal(readHost('a.example'))]) {
      assert.equal(error.code, code, error.message)
      for (const line of PEM.split('\n').filter((text) => text.length > 20)) {
        assert.ok(!error.message.includes(line))
      }
      assert.ok(!error.message.includes('/identity') && !error.message.includes('server_name'))
    }
  })
}

test('a body above the limit is refused by its length, and while it arrives', async (t) => {
  const large = `${PEM}${'x'.repeat(3000)}\n`
  const source = () => ({ maxBytes: 2048, maxHostBytes: 1024 })
  const { service, refusal, readHost } = await httpsSite(
    t,
    pem(large, { 'content-length': `${large.length}` }),
    { source },
  )
  for (const isHost of [false, true]) {
    const error = await refusal(isHost ? readHost('a.example') : undefined)
    assert.equal(error.code, 'SOURCE_INVALID')
    assert.match(error.message, isHost ? /1024 bytes.*`maxHostBytes`/ : /2048 bytes.*`maxBytes`/)
  }
  // Without an end: only the limit ends it.
  service.answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    const more = () => {
      while (!response.destroyed && response.write(PEM)) {}
    }
    response.on('drain', more)
    more()
  }
  assert.match((await refusal()).message, /2048 bytes/)
})

test('`Retry-After` is passed on with 429 and 503, at most one hour', async (t) => {
  const { service, refusal, clock } = await httpsSite(t, status(429, { 'retry-after': '7' }))
  assert.equal((await refusal()).retryAfterMs, 7000)
  service.answer = status(503, { 'retry-after': '86400' })
  assert.equal((await refusal()).retryAfterMs, 3_600_000)
  service.answer = status(503)
  assert.equal((await refusal()).retryAfterMs, undefined)
  service.answer = status(503, {
    'retry-after': new Date(clock.wallMs() + 90_000).toUTCString(),
    date: new Date(clock.wallMs()).toUTCString(),
  })
  assert.equal((await refusal()).retryAfterMs, 90_000)
})
