import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'

import { canBuildInSteps } from '../../src/main/generation/native-context.js'
import { createReloadEngine } from '../../src/main/index.js'
import { createAuthority } from '../support/certificates.js'
import { assertApplied, serveEcho, startEngine } from '../support/engines.js'
import { writePair } from '../support/files.js'
import { hostSite } from '../support/host-site.js'
import { tempDir } from '../support/temp-dir.js'

const isOffered = 'getCertificateCompressionAlgorithms' in tls
const skip = isOffered ? false : 'needs a Node with tls.getCertificateCompressionAlgorithms()'

/** So many names that it shows when they are compressed. */
const names = Array.from({ length: 100 }, (_, i) => `host-${i}.example.test`)
const authority = createAuthority()

for (const algorithm of ['zlib', 'brotli', 'zstd'] as const) {
  test(`certificates are sent compressed by ${algorithm} in every generation, to clients that take it`, {
    skip,
  }, async (t) => {
    const { port, engine, rotate } = await servingFor(t, [algorithm])
    for (let reload = 0; reload <= 3; reload++) {
      if (reload > 0) {
        rotate()
        assertApplied(await engine.reload())
      }
      const [plain, small] = [await received(port, []), await received(port, [algorithm])]
      assert.ok(small < plain - 700, `${small} bytes in place of ${plain}`)
    }
  })
}

test('the certificate of a host is sent compressed too, before and after its renewal', {
  skip,
}, async (t) => {
  const { port, put, engine } = await hostSite(
    t,
    { 'a.test': { names: ['a.test', ...names] } },
    { tls: { certificateCompression: ['zstd', 'zlib'] } },
  )
  for (let reload = 0; reload <= 1; reload++) {
    if (reload > 0) {
      put('a.test', { names: ['a.test', ...names] })
      assertApplied(await engine.reload())
    }
    const plain = await received(port, [], 'a.test')
    for (const algorithm of ['zlib', 'zstd']) {
      const small = await received(port, [algorithm], 'a.test')
      assert.ok(small < plain - 700, `${small} bytes in place of ${plain}`)
    }
  }
})

test('certificates of two types of key are both compressed', { skip }, async (t) => {
  const dir = tempDir(t)
  const pairs = (['ec', 'rsa-2048'] as const).map((keyType) =>
    writePair(dir, authority.issue({ names, keyType }), { cert: `${keyType}.crt`, key: `${keyType}.key` }),
  )
  const engine = await startEngine(t, {
    cert: pairs.map(({ cert }) => cert),
    key: pairs.map(({ key }) => key),
    tls: { certificateCompression: ['zlib'] },
  })
  const port = await serveEcho(t, engine)
  for (const sigalgs of ['ecdsa_secp256r1_sha256', 'rsa_pss_rsae_sha256']) {
    const [plain, small] = [
      await received(port, [], 'localhost', { sigalgs }),
      await received(port, ['zlib'], 'localhost', { sigalgs }),
    ]
    assert.ok(small < plain - 700, `${small} bytes in place of ${plain}`)
  }
})

test('compression without TLS 1.3 is refused', { skip }, async (t) => {
  const pair = writePair(tempDir(t), authority.issue())
  const options = { maxVersion: 'TLSv1.2', certificateCompression: ['zlib'] } as const
  await assert.rejects(createReloadEngine({ ...pair, tls: options }), {
    code: 'OPTIONS_INVALID',
    message: /`tls`: expected `maxVersion` to let in TLS 1\.3/,
  })
})

test('contexts that compress are built in steps like all others', { skip }, () => {
  assert.ok(canBuildInSteps())
})

test('a Node that cannot compress certificates says so at once', {
  skip: isOffered && 'needs a Node without tls.getCertificateCompressionAlgorithms()',
}, async (t) => {
  const pair = writePair(tempDir(t), authority.issue())
  await assert.rejects(createReloadEngine({ ...pair, tls: { certificateCompression: ['zlib'] } }), {
    code: 'OPTIONS_INVALID',
    message: /`tls\.certificateCompression`: .*this Node \(v\d+.*nothing/,
  })
})

async function servingFor(t: TestContext, certificateCompression: readonly ('zlib' | 'brotli' | 'zstd')[]) {
  const dir = tempDir(t)
  const rotate = () => writePair(dir, authority.issue({ names }))
  const engine = await startEngine(t, { ...rotate(), tls: { certificateCompression } })
  return { engine, rotate, port: await serveEcho(t, engine) }
}

/** Bytes until the end of a handshake with a client that can take these. */
async function received(
  port: number,
  certificateCompression: readonly string[],
  servername = 'localhost',
  options: tls.ConnectionOptions = {},
): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  const compression = { certificateCompression } as tls.ConnectionOptions
  const client = tls.connect({ ...options, ...compression, socket, servername, rejectUnauthorized: false })
  try {
    await once(client, 'secureConnect')
    return socket.bytesRead
  } finally {
    client.destroy()
  }
}
