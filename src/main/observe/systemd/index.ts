export type { Logger } from '../../base/logger.js'
export { createNotifier, type Notifier } from './notifier.js'
export type { NotifierOptions } from './options.js'
