import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type PairFiles, renameInto } from '../../support/files/files.js'
import {
  type Authority,
  createAuthority,
  type Leaf,
  manyAuthorities,
} from '../../support/material/certificates.js'
import { encryptedPkcs8 } from '../../support/material/key-forms.js'
import { type KeyPair, keyPair } from '../../support/material/keys.js'
import { beforeExit } from '../cleanup.js'
import type { Shape } from './shapes.js'

/** The files of a server. */
export interface SiteFiles extends PairFiles {
  readonly dir: string
  readonly ca?: string
  /** Directories of SNI hosts, as a pattern. */
  readonly hosts?: string
  readonly passphrase?: string
}

/** A directory of files that are renewed as by certbot or cert-manager: written under a temporary name, then renamed. */
export interface Site {
  readonly shape: Shape
  readonly files: SiteFiles
  /** Fingerprint of the certificate of the next renewal. */
  readonly nextFingerprint: string
  /** Replaces certificate and key by the next of three pairs. */
  renew(): void
  /** Renews one SNI host only. */
  renewHost(): void
  /** Replaces the bundle by one in which one trust anchor differs. */
  replaceAuthorities(): void
  remove(): Promise<void>
}

export function createSite(shape: Shape): Site {
  const { leaves, bundles, issuer, hostKey } = materialFor(shape)
  const dir = mkdtempSync(join(realpathSync(tmpdir()), 'certswap-bench-'))
  const files: SiteFiles = {
    dir,
    cert: join(dir, 'tls.crt'),
    key: join(dir, 'tls.key'),
    ...(shape.authorities > 0 ? { ca: join(dir, 'ca.pem') } : {}),
    ...(shape.hosts ? { hosts: join(dir, 'hosts', '*') } : {}),
    ...(shape.iterations ? { passphrase: PASSPHRASE } : {}),
  }
  let [renewals, replacements] = [0, 0]
  const next = () => leaves[renewals % leaves.length] as Renewal
  const renew = () => {
    const { chainPem, keyPem } = next()
    renewals += 1
    renameInto(files.key, keyPem)
    renameInto(files.cert, chainPem)
  }
  const replaceAuthorities = () => {
    if (files.ca) renameInto(files.ca, bundles[replacements++ % 2] as string)
  }
  const putHost = (index: number) => {
    const folder = join(dir, 'hosts', `${index}`)
    mkdirSync(folder, { recursive: true })
    const { keyPem, chainPem } = issuer.issue({ names: [`h${index}.bench.test`], key: hostKey })
    renameInto(join(folder, 'tls.key'), keyPem)
    renameInto(join(folder, 'tls.crt'), chainPem)
  }
  renew()
  replaceAuthorities()
  for (let index = 0; index < (shape.hosts ?? 0); index++) putHost(index)
  const remove = beforeExit(() => rmSync(dir, { recursive: true, force: true }))
  return {
    ...{ shape, files, renew, replaceAuthorities, remove },
    renewHost: () => putHost(0),
    get nextFingerprint() {
      return next().fingerprint256
    },
  }
}

interface Renewal {
  readonly fingerprint256: string
  readonly chainPem: string
  readonly keyPem: string
}

interface Material {
  readonly leaves: readonly Renewal[]
  readonly bundles: readonly string[]
  readonly issuer: Authority
  /** The common key of all hosts, whose certificates differ. */
  readonly hostKey: KeyPair
}

const PASSPHRASE = 'correct horse battery staple'

/** Cached, because RSA-4096 keys and thousands of CAs take seconds to generate. */
const made = new Map<string, Material>()

function materialFor(shape: Shape): Material {
  const key = JSON.stringify(shape)
  const material = made.get(key) ?? makeMaterial(shape)
  made.set(key, material)
  return material
}

function makeMaterial({ keyType, iterations, authorities }: Shape): Material {
  const root = createAuthority({ name: 'Bench Root' })
  const issuer = root.issueAuthority({ name: 'Bench Intermediate' })
  const anchors = manyAuthorities(authorities + 1, { name: 'Bench Client CA' }).map(({ certPem }) => certPem)
  const textOf = (leaf: Leaf): Renewal => ({
    fingerprint256: leaf.fingerprint256,
    chainPem: leaf.chainPem,
    keyPem: iterations ? encryptedPkcs8(leaf, PASSPHRASE, { iterations }) : leaf.keyPem,
  })
  return {
    leaves: Array.from({ length: 3 }, () => textOf(issuer.issue({ keyType }))),
    issuer,
    hostKey: keyPair(),
    bundles: [anchors.slice(0, -1).join(''), anchors.slice(1).join('')],
  }
}
