// gRPC: SIGTERM sends GOAWAY to every client; calls finish, and clients continue with another server
import tls from 'node:tls'
import { fileURLToPath } from 'node:url'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { createReloadEngine } from 'certswap'
import { createDrain, handleSignals } from 'certswap/drain'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({ cert: `${dir}/tls.crt`, key: `${dir}/tls.key` })

const proto = fileURLToPath(new URL('../grpc/greeter.proto', import.meta.url))
const { Greeter } = grpc.loadPackageDefinition(loadSync(proto)).certswap.examples
const rpc = new grpc.Server()
rpc.addService(Greeter.service, {
  greet: ({ request }, answer) => answer(null, request),
  watch(call) {
    call.write({ text: `watching ${process.pid}` })
    endAtDrain(call)
  },
})

const { injectConnection } = rpc.createConnectionInjector(grpc.ServerCredentials.createInsecure())
const server = tls.createServer(engine.serverOptions({ ALPNProtocols: ['h2'] }), injectConnection)
engine.attach(server)

const drain = createDrain({ servers: [server] })
handleSignals(drain)

// Ends a call that would not end by itself: its client calls again, and reaches another server.
function endAtDrain(call) {
  const end = () => call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'the server is going away' })
  const onState = (state) => {
    if (state === 'closing') end()
  }
  if (drain.state === 'closing') return end()
  drain.on('state', onState)
  call.once('close', () => drain.off('state', onState))
}

server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
