export type { Delivery, MaterialSource } from '../../api/source.js'
export { checkServerIdentity, type ServerIdentityOptions } from './check-server-identity.js'
export {
  type BundleOptions,
  type PodCertificateOptions,
  podCertificate,
  type SpiffeFolderOptions,
  spiffeFolder,
} from './folders.js'
export type { SpiffeSourceOptions } from './options.js'
export { spiffeSource } from './spiffe-source.js'
