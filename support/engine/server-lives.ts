import type tls from 'node:tls'

import type { ReloadEngine } from '../../src/main/index.js'

/** What happens to a server, and whether it accepts clients afterwards. */
export const SERVER_LIVES: Readonly<
  Record<string, readonly [(engine: ReloadEngine, server: tls.Server) => unknown, boolean]>
> = {
  'is attached': [(engine, server) => engine.attach(server), true],
  'was detached': [(engine, server) => engine.attach(server)(), true],
  'was detached twice': [
    (engine, server) => {
      engine.attach(server)()
      engine.attach(server)()
    },
    true,
  ],
  'was detached and attached again': [
    (engine, server) => {
      engine.attach(server)()
      engine.attach(server)
    },
    true,
  ],
  'has an engine that was closed': [
    async (engine, server) => {
      engine.attach(server)
      await engine.close()
    },
    true,
  ],
  'was never attached': [() => {}, false],
}
