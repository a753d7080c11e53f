// NestJS: SIGTERM drains first; then Nest runs its shutdown hooks and closes
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { createReloadEngine } from 'certswap'
import { createDrain, handleSignals } from 'certswap/drain'

const dir = process.env.TLS_DIR ?? '.certswap' // created by `npx certswap dev init`
const engine = await createReloadEngine({ cert: `${dir}/tls.crt`, key: `${dir}/tls.key` })

// Nest waits for this before it closes the listener.
class WaitForDrain {
  beforeApplicationShutdown() {
    return drain.complete()
  }

  onApplicationShutdown(signal) {
    console.log(`databases closed after ${signal}`)
  }
}

class AppModule {}
Module({ providers: [WaitForDrain] })(AppModule)

const nest = await NestFactory.create(AppModule, { httpsOptions: engine.serverOptions() })
nest.use('/slow', (_request, response) => setTimeout(() => response.end('late\n'), 1_500))
nest.use('/', (_request, response) => response.end('hello\n'))
nest.enableShutdownHooks()

const server = nest.getHttpServer()
engine.attach(server)
const drain = createDrain({ servers: [server], lameDuckMs: 500 })
handleSignals(drain, engine, { onDrained: () => nest.close() })
await nest.listen(Number(process.env.PORT ?? 0))
console.log(`listening on ${server.address().port}`)
