export type { Logger } from '../logger.js'
export { createNotifier, type Notifier } from './notifier.js'
export type { NotifierOptions } from './options.js'
