export type { MaterialSource } from '../../api/source.js'
export { httpsSource } from './https-source.js'
export type { HttpsSourceOptions } from './options.js'
