// gRPC, one channel for all generations: node provider-client.js HOST:PORT
import { fileURLToPath } from 'node:url'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { createReloadEngine } from 'certswap'
import { certificateProvider } from 'certswap/grpc'

const dir = process.env.TLS_DIR ?? '.certswap'
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`, // shown to the server
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificate of the server
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const proto = fileURLToPath(new URL('greeter.proto', import.meta.url))
const { Greeter } = grpc.loadPackageDefinition(loadSync(proto)).certswap.examples
const provider = certificateProvider(engine)
const credentials = grpc.experimental.createCertificateProviderChannelCredentials(provider, provider)
const client = new Greeter(process.argv[2], credentials)

setInterval(() => {
  client.greet({ text: 'hello' }, (error, reply) => console.log(error?.code ?? 0, reply?.text))
}, 200)
