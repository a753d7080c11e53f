/* How the source connects: whom it trusts, what it shows, and where it never sends its token. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'

import { writePair } from '../../../../support/files/files.js'
import { createAuthority } from '../../../../support/material/certificates.js'
import { type Answer, bundle, materialService, status } from '../../../../support/servers/material-service.js'
import { bundleOf, httpsSite, TOKEN } from '../../../../support/sources/https-site.js'

const leaf = createAuthority().issue({ names: ['a.example'] })
const PEM = leaf.keyPem + leaf.chainPem

test('only the CAs of the file are trusted, and a replaced file counts for the next request', async (t) => {
  const { caFile, service, read, refusal } = await httpsSite(t, bundle(leaf))
  writeFileSync(caFile, createAuthority().certPem)
  const error = await refusal()
  assert.equal(error.code, 'SOURCE_UNREACHABLE')
  assert.match(error.message, /UNABLE_TO_VERIFY_LEAF_SIGNATURE|DEPTH_ZERO|SELF_SIGNED/)
  assert.equal(service.requests.length, 0)
  writeFileSync(caFile, service.authority.certPem)
  await read()
  // The connection above is still open, and must not outlive the trust in its certificate.
  writeFileSync(caFile, createAuthority().certPem)
  assert.equal((await refusal()).code, 'SOURCE_UNREACHABLE')
})

test('without a CA file the public CAs are trusted, which have not issued this certificate', async (t) => {
  const site = await httpsSite(t, bundle(leaf))
  const { origin } = site.service
  const { refusal, service } = await httpsSite(t, bundle(leaf), {
    source: () => ({ url: origin, caFile: undefined }) as object,
  })
  assert.equal((await refusal()).code, 'SOURCE_UNREACHABLE')
  assert.equal(service.requests.length + site.service.requests.length, 0)
})

test('NODE_TLS_REJECT_UNAUTHORIZED=0 does not turn the check of the certificate off', async (t) => {
  const { caFile, refusal } = await httpsSite(t, bundle(leaf))
  writeFileSync(caFile, createAuthority().certPem)
  t.after(() => Reflect.deleteProperty(process.env, 'NODE_TLS_REJECT_UNAUTHORIZED'))
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  assert.equal((await refusal()).code, 'SOURCE_UNREACHABLE')
})

test('a certificate for another name is refused', async (t) => {
  const authority = createAuthority()
  const { chainPem, keyPem } = authority.issue({ names: ['other.example'] })
  const { caFile, refusal } = await httpsSite(t, bundle(leaf), { server: { cert: chainPem, key: keyPem } })
  writeFileSync(caFile, authority.certPem)
  assert.match((await refusal()).message, /ERR_TLS_CERT_ALTNAME_INVALID/)
})

for (const [what, content] of Object.entries({
  'an empty CA file': '',
  'a CA file that is not PEM': 'garbage',
  'a CA file with a broken certificate': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  'a CA file with a key': leaf.keyPem,
})) {
  test(`${what} is refused with its path`, async (t) => {
    const { caFile, refusal, service } = await httpsSite(t, bundle(leaf))
    writeFileSync(caFile, content)
    const error = await refusal()
    assert.equal(error.code, 'SOURCE_UNREACHABLE')
    assert.ok(error.message.includes(caFile))
    assert.equal(service.requests.length, 0)
  })
}

test('nothing listens: the error has the code of the connection', async (t) => {
  const { service, refusal } = await httpsSite(t, bundle(leaf))
  service.server.close()
  const error = await refusal()
  assert.equal(error.code, 'SOURCE_UNREACHABLE')
  assert.match(error.message, /ECONNREFUSED/)
})

test('the token file is read for each request, and one line end is removed', async (t) => {
  const { tokenFile, service, read } = await httpsSite(t, bundle(leaf))
  for (const [content, token] of [
    ['first\n', 'first'],
    ['second\r\n', 'second'],
    ['third', 'third'],
  ] as const) {
    writeFileSync(tokenFile, content)
    await read()
    assert.equal(service.requests.at(-1)?.headers.authorization, `Bearer ${token}`)
  }
})

for (const [what, content] of Object.entries({
  'an empty token': '',
  'a token of blanks': '  \n',
  'a token with a line break': `${TOKEN}\nx-admin: 1\n`,
  'a token with two line ends': `${TOKEN}\n\n`,
  'a token with a carriage return': `${TOKEN}\r${TOKEN}`,
  'a token that is not ASCII': `${TOKEN}\u00e4`,
  'a token of more than 64 KiB': TOKEN.repeat(3000),
})) {
  test(`${what} is refused and not sent`, async (t) => {
    const { tokenFile, refusal, service } = await httpsSite(t, bundle(leaf))
    writeFileSync(tokenFile, content)
    const error = await refusal()
    assert.equal(error.code, 'SOURCE_DENIED')
    assert.ok(error.message.includes(tokenFile))
    assert.equal(service.requests.length, 0)
  })
}

test('a token file that is missing, a directory or a pipe is refused', async (t) => {
  const { tokenFile, dir, refusal, service } = await httpsSite(t, bundle(leaf))
  renameSync(tokenFile, join(dir, 'old'))
  assert.match((await refusal()).message, /ENOENT/)
  execFileSync('mkfifo', [tokenFile])
  assert.match((await refusal()).message, /not a regular file/)
  const other = await httpsSite(t, bundle(leaf), { source: (_origin, at) => ({ tokenFile: at }) })
  assert.equal((await other.refusal()).code, 'SOURCE_DENIED')
  assert.equal(service.requests.length, 0)
})

test('a service that requires a client certificate gets the current one', async (t) => {
  const clients = createAuthority()
  const certificates: string[] = []
  const server = { ca: clients.certPem, requestCert: true, rejectUnauthorized: true }
  const answer: Answer = (request, response) => {
    certificates.push((request.socket as TLSSocket).getPeerCertificate().fingerprint256)
    bundle(leaf)(request, response)
  }
  const source = (_origin: string, dir: string) => ({
    certFile: join(dir, 'tls.crt'),
    keyFile: join(dir, 'tls.key'),
  })
  const { dir, read, refusal } = await httpsSite(t, answer, { server, source })
  const first = clients.issue()
  const second = clients.issue()
  writePair(dir, first)
  await read()
  writePair(dir, second)
  await read()
  assert.deepEqual(certificates, [first.fingerprint256, second.fingerprint256])

  // Between the two writes of a renewal.
  writePair(dir, { chainPem: second.chainPem, keyPem: first.keyPem })
  const error = await refusal()
  assert.equal(error.code, 'SOURCE_DENIED')
  assert.match(error.message, /KEY_VALUES_MISMATCH/)

  const without = await httpsSite(t, answer, { server })
  assert.equal((await without.refusal()).code, 'SOURCE_UNREACHABLE')
})

test('requests share a connection while the files stay the same', async (t) => {
  const { service, read, readHost } = await httpsSite(t, bundle(leaf, '"1"'))
  let connections = 0
  service.server.on('secureConnection', () => connections++)
  await read()
  await read('"1"')
  service.answer = status(204)
  await readHost('a.example')
  await readHost('b.example')
  assert.equal(connections, 1)
})

test('an idle connection that the service has closed is replaced', async (t) => {
  const { service, read } = await httpsSite(t, (request, response) => {
    bundle(leaf)(request, response)
    // After the answer, without an announcement: the client may notice only when it sends the next request.
    response.on('finish', () => setImmediate(() => request.socket.destroy()))
  })
  for (let i = 0; i < 20; i++) assert.equal(bundleOf(await read()), PEM)
  assert.ok(service.requests.length >= 20)
})

test('redirects within the service are followed, at most three, with the token', async (t) => {
  const { service, read, refusal } = await httpsSite(t, (request, response) => {
    const hop = Number(request.url?.slice(1)) || 0
    if (hop === 3) bundle(leaf)(request, response)
    else status(307, { location: `/${hop + 1}` })(request, response)
  })
  assert.equal(bundleOf(await read()), PEM)
  assert.ok(service.requests.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`))
  service.answer = status(302, { location: '/again' })
  assert.match((await refusal()).message, /more than 3 times/)
  assert.equal(service.requests.length, 8)
})

test('a redirect to another host, port or scheme is not followed, and the token stays with the service', async (t) => {
  const other = await materialService(t, bundle(leaf))
  const { service, refusal, readHost } = await httpsSite(t, bundle(leaf))
  const port = new URL(service.origin).port
  for (const location of [
    other.origin,
    `//${new URL(other.origin).host}/identity`,
    `https://localhost:${port}/`,
    `http://127.0.0.1:${port}/`,
    `https://user:pass@127.0.0.1:${port}/`,
    'file:///etc/passwd',
    'https://',
  ]) {
    service.requests.length = 0
    service.answer = status(302, { location })
    for (const isHost of [false, true]) {
      const error = await refusal(isHost ? readHost('a.example') : undefined)
      assert.equal(error.code, 'SOURCE_INVALID', location)
      assert.ok(!error.message.includes('user:pass'))
    }
    assert.equal(service.requests.length, 2)
  }
  service.answer = status(302)
  assert.match((await refusal()).message, /without a valid location/)
  assert.equal(other.requests.length, 0)
})

test('a service that never answers, or never ends its answer, is given up with the signal', async (t) => {
  const { service, read, refusal } = await httpsSite(t, () => {})
  await givenUp(t, () => service.nextRequest(), read, refusal)
  service.answer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' }).write(PEM)
  }
  await givenUp(t, () => service.nextRequest(), read, refusal)
})

async function givenUp(
  t: TestContext,
  nextRequest: () => Promise<unknown>,
  read: (version: null, signal: AbortSignal) => Promise<unknown>,
  refusal: (reading: Promise<unknown>) => Promise<{ code: string }>,
) {
  const abort = new AbortController()
  t.after(() => abort.abort())
  const arrived = nextRequest()
  const refused = refusal(read(null, abort.signal))
  await arrived
  setImmediate(() => abort.abort())
  assert.equal((await refused).code, 'SOURCE_TIMEOUT')
}

test('two names are requested at the same time, and each gets its own certificate', async (t) => {
  const names = ['a.example', 'b.example']
  const leaves = new Map(names.map((name) => [name, createAuthority().issue({ names: [name] })]))
  const waiting: (() => void)[] = []
  const { service, readHost } = await httpsSite(t, (request, response) => {
    const name = new URL(request.url ?? '', 'https://x').searchParams.get('server_name') ?? ''
    const issued = leaves.get(name)
    assert.ok(issued)
    waiting.push(() => bundle(issued, `"${name}"`)(request, response))
    // The second request arrives although the first has no answer yet; the answers come in reverse order.
    if (waiting.length === 2) for (const answer of waiting.reverse()) answer()
  })
  const [a, b] = await Promise.all(names.map((name) => readHost(name)))
  assert.equal(
    bundleOf(a ?? 'none'),
    `${leaves.get('a.example')?.keyPem}${leaves.get('a.example')?.chainPem}`,
  )
  assert.equal(
    bundleOf(b ?? 'none'),
    `${leaves.get('b.example')?.keyPem}${leaves.get('b.example')?.chainPem}`,
  )
  assert.equal(service.requests.length, 2)
})
