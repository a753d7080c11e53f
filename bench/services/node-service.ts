import { type Child, startChild } from '../process/child.js'
import type { ServerCalls } from '../server/main.js'
import type { SubjectOptions } from '../server/subject.js'
import type { Service } from './service.js'

/** A server process of this bench, with its probes. */
export interface NodeService extends Service {
  readonly server: Child<ServerCalls>
  readonly ports: readonly number[]
}

export const SERVER_ENTRY = new URL('../server/main.js', import.meta.url)

export async function startNodeService(node: string, options: SubjectOptions): Promise<NodeService> {
  const server = startChild<ServerCalls>(SERVER_ENTRY, { node, flags: ['--expose-gc'] })
  try {
    const ports = await server.call('start', options)
    return {
      ...{ server, ports, port: ports[0] as number },
      reload: () => server.call('reload'),
      stop: () => server.stop(),
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

/** The alternative to reloading: the process is ended and started again on the same port. */
export async function startRestartedService(node: string, options: SubjectOptions): Promise<Service> {
  let service = await startNodeService(node, options)
  const { ports } = service
  return {
    port: service.port,
    async reload() {
      await service.stop()
      service = await startNodeService(node, { ...options, ports })
      return undefined
    },
    stop: () => service.stop(),
  }
}
