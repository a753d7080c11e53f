export {
  changedPaths,
  type Fingerprint,
  type FingerprintEntry,
  type FingerprintRule,
  sameFingerprint,
} from './compare.js'
export { contentDigest, holdsPrivateKey } from './content.js'
export { inodeStamp, type StampFields } from './stamp.js'
