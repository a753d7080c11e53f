import { join } from 'node:path'

import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

import { projectRoot } from '../processes/installed-package.js'

/** The service that `examples/grpc` defines. */
export const greeterService = loadSync(join(projectRoot, 'examples/grpc/greeter.proto'))[
  'certswap.examples.Greeter'
] as grpc.ServiceDefinition

const GreeterClient = grpc.makeGenericClientConstructor(greeterService, 'Greeter')

export interface Greeter {
  greet(word: string): Promise<string>
  close(): void
}

export function greeter(address: string, credentials: grpc.ChannelCredentials): Greeter {
  const client = new GreeterClient(address, credentials)
  return {
    close: () => client.close(),
    greet: (word) =>
      new Promise((resolve, reject) => {
        client['greet']?.({ text: word }, (error: Error | null, reply: { text: string }) => {
          if (error) reject(error)
          else resolve(reply.text)
        })
      }),
  }
}
