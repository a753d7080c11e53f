import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'

import { canBuildInSteps } from '../../../src/main/generation/native-context.js'
import { createReloadEngine } from '../../../src/main/index.js'
import { assertApplied, serveEcho, startEngine } from '../../../support/engine/engines.js'
import { hostSite } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../../support/material/certificates.js'

const isOffered = 'getCertificateCompressionAlgorithms' in tls
const skip = isOffered ? false : 'needs a Node with tls.getCertificateCompressionAlgorithms()'

/** So many names that compression has a visible effect. */
const names = Array.from({ length: 100 }, (_, i) => `host-${i}.example.test`)
const authority = createAuthority()

for (const algorithm of ['zlib', 'brotli', 'zstd'] as const) {
  test(`certificates are sent compressed by ${algorithm} in every generation, to clients that accept it`, {
    skip,
  }, async (t) => {
    const dir = tempDir(t)
    const issuer = authority.issueAuthority()
    let leaf = issuer.issue({ names })
    const engine = await startEngine(t, {
      ...writePair(dir, leaf),
      tls: { certificateCompression: [algorithm] },
    })
    const port = await serveEcho(t, engine)
    // Contexts are reused: their earlier compressed certificates must not be sent.
    for (let reload = 0; reload <= 6; reload++) {
      if (reload > 0) {
        leaf = issuer.issue({ names })
        writePair(dir, leaf)
        assertApplied(await engine.reload())
      }
      await assertCompressed({ port }, algorithm, leaf)
    }
  })
}

test('the certificate of a host is sent compressed too, before and after its renewal', {
  skip,
}, async (t) => {
  const { port, put, engine } = await hostSite(t, {}, { tls: { certificateCompression: ['zstd', 'zlib'] } })
  for (let reload = 0; reload <= 1; reload++) {
    const leaf = put('a.test', { names: ['a.test', ...names] })
    assertApplied(await engine.reload())
    for (const algorithm of ['zlib', 'zstd']) {
      await assertCompressed({ port, servername: 'a.test' }, algorithm, leaf)
    }
  }
})

test('certificates of two types of key are both compressed', { skip }, async (t) => {
  const dir = tempDir(t)
  const leaves = (['ec', 'rsa-2048'] as const).map((keyType) => authority.issue({ names, keyType }))
  const pairs = leaves.map((leaf, i) => writePair(dir, leaf, { cert: `${i}.crt`, key: `${i}.key` }))
  const engine = await startEngine(t, {
    cert: pairs.map(({ cert }) => cert),
    key: pairs.map(({ key }) => key),
    tls: { certificateCompression: ['zlib'] },
  })
  const port = await serveEcho(t, engine)
  for (const [i, sigalgs] of ['ecdsa_secp256r1_sha256', 'rsa_pss_rsae_sha256'].entries()) {
    await assertCompressed({ port, sigalgs }, 'zlib', leaves[i] as Leaf)
  }
})

test('compression without TLS 1.3 is refused', { skip }, async (t) => {
  const pair = writePair(tempDir(t), authority.issue())
  const options = { maxVersion: 'TLSv1.2', certificateCompression: ['zlib'] } as const
  await assert.rejects(createReloadEngine({ ...pair, tls: options }), {
    code: 'OPTIONS_INVALID',
    message: /`tls`: expected `maxVersion` to allow TLS 1\.3/,
  })
})

test('contexts with compression are built in steps like all others', { skip }, () => {
  assert.ok(canBuildInSteps())
})

test('a Node that cannot compress certificates causes an error at once', {
  skip: isOffered && 'needs a Node without tls.getCertificateCompressionAlgorithms()',
}, async (t) => {
  const pair = writePair(tempDir(t), authority.issue())
  await assert.rejects(createReloadEngine({ ...pair, tls: { certificateCompression: ['zlib'] } }), {
    code: 'OPTIONS_INVALID',
    message: /`tls\.certificateCompression`: .*this Node \(v\d+.*none/,
  })
})

interface Client {
  readonly port: number
  readonly servername?: string
  readonly sigalgs?: string
}

/** Asserts that this certificate is sent, and in fewer bytes to a client that accepts compression. */
async function assertCompressed(client: Client, algorithm: string, { fingerprint256 }: Leaf): Promise<void> {
  const plain = await received(client, [])
  const small = await received(client, [algorithm])
  assert.deepEqual([plain.shown, small.shown], [fingerprint256, fingerprint256])
  assert.ok(small.bytes < plain.bytes - 700, `${small.bytes} bytes in place of ${plain.bytes}`)
}

/** The bytes received by the end of a handshake. */
async function received(
  { port, servername = 'localhost', ...options }: Client,
  certificateCompression: readonly string[],
): Promise<{ bytes: number; shown: string | undefined }> {
  const socket = connect(port, '127.0.0.1')
  const compression = { certificateCompression } as tls.ConnectionOptions
  const client = tls.connect({ ...options, ...compression, socket, servername, rejectUnauthorized: false })
  try {
    await once(client, 'secureConnect')
    return { bytes: socket.bytesRead, shown: client.getPeerX509Certificate()?.fingerprint256 }
  } finally {
    client.destroy()
  }
}
