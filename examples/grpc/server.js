// gRPC: a node:tls server terminates TLS, and passes its connections to @grpc/grpc-js
import tls from 'node:tls'
import { fileURLToPath } from 'node:url'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { createReloadEngine } from 'certswap'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

const proto = fileURLToPath(new URL('greeter.proto', import.meta.url))
const { Greeter } = grpc.loadPackageDefinition(loadSync(proto)).certswap.examples
const rpc = new grpc.Server()
rpc.addService(Greeter.service, { greet: ({ request }, answer) => answer(null, request) })

// "Insecure", because gRPC receives connections that are already decrypted.
const { injectConnection } = rpc.createConnectionInjector(grpc.ServerCredentials.createInsecure())
const server = tls.createServer(engine.serverOptions({ ALPNProtocols: ['h2'] }), injectConnection)
engine.attach(server)
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
