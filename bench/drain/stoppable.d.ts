declare module 'stoppable' {
  import type { Server } from 'node:net'

  export default function stoppable(server: Server, graceMs: number): { stop(done: () => void): void }
}
