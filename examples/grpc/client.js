// A gRPC client of mutual TLS: node client.js HOST:PORT
import { fileURLToPath } from 'node:url'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { createReloadEngine } from 'certswap'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const proto = fileURLToPath(new URL('greeter.proto', import.meta.url))
const { Greeter } = grpc.loadPackageDefinition(loadSync(proto)).certswap.examples

// One channel for each generation, because a channel keeps the credentials that it was created with.
let client = openClient()
engine.on('applied', () => {
  const former = client
  client = openClient()
  former.close() // requests in flight finish
})

function openClient() {
  return new Greeter(process.argv[2], grpc.credentials.createFromSecureContext(engine.secureContext()))
}

setInterval(() => {
  client.greet({ text: 'hello' }, (error, reply) => console.log(error?.code ?? 0, reply?.text))
}, 200)
