declare module 'stoppable' {
  import type { Server } from 'node:net'

  function stoppable(server: Server, graceMs: number): { stop(done: () => void): void }
  export = stoppable
}
