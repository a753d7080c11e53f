export {
  type CaCertificateListener,
  type CertificateProvider,
  certificateProvider,
  type IdentityCertificateListener,
} from './certificate-provider.js'
