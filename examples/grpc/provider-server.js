// gRPC with mutual TLS: @grpc/grpc-js terminates TLS itself, with the current certificate and CAs
import { fileURLToPath } from 'node:url'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { createReloadEngine } from 'certswap'
import { certificateProvider } from 'certswap/grpc'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  ca: `${dir}/ca.crt`, // issued the certificates of the clients
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const proto = fileURLToPath(new URL('greeter.proto', import.meta.url))
const { Greeter } = grpc.loadPackageDefinition(loadSync(proto)).certswap.examples
const rpc = new grpc.Server()
rpc.addService(Greeter.service, { greet: ({ request }, answer) => answer(null, request) })

const provider = certificateProvider(engine)
const credentials = grpc.experimental.createCertificateProviderServerCredentials(provider, provider, true)
rpc.bindAsync(`0.0.0.0:${process.env.PORT ?? 0}`, credentials, (error, port) => {
  if (error) throw error
  console.log(`listening on ${port}`)
})
