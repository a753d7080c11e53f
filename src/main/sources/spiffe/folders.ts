import { resolve } from 'node:path'

import { z } from 'zod'

import { trustDomainIn } from '../../../workers/formats/spiffe-id.js'
import type { ReloadEngineOptions } from '../../api/options.js'
import { ReloadError } from '../../base/errors.js'
import { refusal, WORDED } from '../../base/refusal.js'

/** Options of `createReloadEngine` for one credential bundle: the key first, then its chain, in one file. */
export type BundleOptions = Readonly<Pick<ReloadEngineOptions, 'ca'> & Record<'cert' | 'key', string>>

/** Options of {@link spiffeFolder}. */
export interface SpiffeFolderOptions {
  /** The trust domain of this process, such as `example.org`. */
  readonly trustDomain: string
  /** @defaultValue the environment variable `SPIFFE_CREDENTIAL_FOLDER`, or `/run/secrets/workload-spiffe-credentials` */
  readonly folder?: string
  /**
   * File name of the credential bundle. The draft still changes it.
   * @defaultValue `credential-bundle.private-key.pem`
   */
  readonly credentialBundle?: string
}

/** Options of {@link podCertificate}. */
export interface PodCertificateOptions {
  /** The `mountPath` of the projected volume. */
  readonly mountPath: string
  /**
   * The `credentialBundlePath` of its source `podCertificate`.
   * @defaultValue `credentialbundle.pem`
   */
  readonly credentialBundle?: string
  /**
   * The `path` of its source `clusterTrustBundle`, whose certificates verify peers, in any order.
   * @defaultValue no trust anchors
   */
  readonly trustBundle?: string
}

const fileName = z.string().regex(/^[^/\0]+$/, 'expected a file name')
const relativePath = z.string().regex(/^[^/\0][^\0]*$/, 'expected a path relative to `mountPath`')

const folderSchema = z.strictObject({
  trustDomain: z
    .string()
    .refine((name) => trustDomainIn(name) === name, 'expected the name of a trust domain'),
  folder: z.string().min(1).optional(),
  credentialBundle: fileName.optional(),
})

const podSchema = z.strictObject({
  mountPath: z.string().min(1),
  credentialBundle: relativePath.optional(),
  trustBundle: relativePath.optional(),
})

/**
 * Options of `createReloadEngine` for a folder of SPIFFE credentials (draft, spiffe/spiffe#376): a credential bundle, and the
 * trust bundle of the own trust domain. The bundles of other domains in the folder are not used: files give no way to keep
 * them apart. Use {@link spiffeSource} for peers of other domains.
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function spiffeFolder(options: SpiffeFolderOptions): BundleOptions {
  const parsed = folderSchema.safeParse(options, WORDED)
  if (!parsed.success) throw invalid(parsed.error, options)
  const { trustDomain, folder, credentialBundle = 'credential-bundle.private-key.pem' } = parsed.data
  const from = folder ?? process.env['SPIFFE_CREDENTIAL_FOLDER'] ?? '/run/secrets/workload-spiffe-credentials'
  return bundleIn(from, credentialBundle, `${trustDomain}.spiffe-trust-bundle.pem`)
}

/**
 * Options of `createReloadEngine` for a Kubernetes Pod Certificate: a projected volume with a source `podCertificate` and, for
 * client certificates, a source `clusterTrustBundle`.
 *
 * @throws ReloadError `OPTIONS_INVALID`
 */
export function podCertificate(options: PodCertificateOptions): BundleOptions {
  const parsed = podSchema.safeParse(options, WORDED)
  if (!parsed.success) throw invalid(parsed.error, options)
  const { mountPath, credentialBundle = 'credentialbundle.pem', trustBundle } = parsed.data
  return bundleIn(mountPath, credentialBundle, trustBundle)
}

function bundleIn(folder: string, bundle: string, trust: string | undefined): BundleOptions {
  const path = resolve(folder, bundle)
  return { cert: path, key: path, ...(trust === undefined ? {} : { ca: resolve(folder, trust) }) }
}

function invalid({ issues }: z.ZodError, options: unknown): ReloadError {
  return new ReloadError('OPTIONS_INVALID', refusal(issues, options))
}
