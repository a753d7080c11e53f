// A process whose control server takes over its path: `node control-process.js DIR SOCKET`.

import { join } from 'node:path'

import { createControlServer } from '../../src/main/control/index.js'
import { createReloadEngine } from '../../src/main/index.js'

const [dir, path] = process.argv.slice(2) as [string, string]
const logger = { debug() {}, info() {}, warn() {}, error: console.error }
const engine = await createReloadEngine({ cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), logger })
const control = await createControlServer({ engine, path, takeover: true, logger })
process.on('SIGTERM', () => {
  void control.close().then(() => engine.close())
})
console.log('ready')
