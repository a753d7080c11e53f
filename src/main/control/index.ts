export { type ControlServer, createControlServer } from './control-server.js'
export type { ControlServerOptions, LoopbackOptions } from './options.js'
