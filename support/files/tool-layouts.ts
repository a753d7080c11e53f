import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Leaf } from '../material/certificates.js'

/** The file layout of a tool that obtains certificates. */
export interface ToolLayout {
  readonly tool: string
  /** The pattern of `hosts` below the root. */
  readonly pattern: string
  /** The host ID for a name, relative to the root. */
  hostOf(name: string): string
  /** Writes, or renews, the files of a certificate. */
  write(root: string, name: string, leaf: Leaf): void
}

/** `cmd/internal/storage/storage_certificates_writer.go` of lego: every file is overwritten in place. */
export const lego: ToolLayout = {
  tool: 'lego',
  pattern: '.lego/certificates',
  hostOf: (name) => `.lego/certificates/${name.replace('*', '_')}`,
  write(root, name, leaf) {
    const base = name.replace('*', '_')
    put(join(root, '.lego', 'accounts', 'acme.example', 'me'), { 'account.json': '{}' })
    put(join(root, '.lego', 'certificates'), {
      [`${base}.crt`]: leaf.chainPem,
      [`${base}.issuer.crt`]: leaf.chainPem.slice(leaf.certPem.length),
      [`${base}.key`]: leaf.keyPem,
      [`${base}.json`]: JSON.stringify({ domain: name }),
    })
  },
}

/** `_initpath` of acme.sh: a directory for each certificate, `NAME_ecc` for keys on elliptic curves. */
export const acmeSh: ToolLayout = {
  tool: 'acme.sh',
  pattern: '.acme.sh/*',
  hostOf: (name) => `.acme.sh/${name}_ecc`,
  write(root, name, leaf) {
    put(join(root, '.acme.sh', 'dnsapi'), { 'dns_cf.sh': '# a plugin' })
    put(join(root, '.acme.sh', 'ca', 'acme.example', 'directory'), { 'account.key': leaf.keyPem })
    put(join(root, '.acme.sh', `${name}_ecc`), {
      [`${name}.cer`]: leaf.certPem,
      [`${name}.key`]: leaf.keyPem,
      'ca.cer': leaf.chainPem.slice(leaf.certPem.length),
      'fullchain.cer': leaf.chainPem,
      [`${name}.conf`]: `Le_Domain='${name}'`,
      [`${name}.csr`]: '',
    })
  },
}

/** `KeyBuilder` in `storage.go` of certmagic, Caddy's library: a directory for each issuer, in it one for each name. */
export const caddy: ToolLayout = {
  tool: 'Caddy',
  pattern: 'caddy/certificates/*/*',
  hostOf: (name) =>
    `caddy/certificates/acme-v02.api.letsencrypt.org-directory/${name.replace('*', 'wildcard_')}`,
  write(root, name, leaf) {
    const safe = name.replace('*', 'wildcard_')
    const issuer = join(root, 'caddy', 'certificates', 'acme-v02.api.letsencrypt.org-directory')
    put(join(issuer, safe), {
      [`${safe}.crt`]: leaf.chainPem,
      [`${safe}.key`]: leaf.keyPem,
      [`${safe}.json`]: JSON.stringify({ sans: [name] }),
    })
  },
}

/** certbot and dehydrated: the file names that both use. */
export const certbot: ToolLayout = {
  tool: 'certbot',
  pattern: 'live/*',
  hostOf: (name) => `live/${name.replace('*.', '')}`,
  write(root, name, leaf) {
    put(join(root, 'live'), { README: 'This directory contains your keys and certificates.' })
    put(join(root, 'live', name.replace('*.', '')), {
      'cert.pem': leaf.certPem,
      'chain.pem': leaf.chainPem.slice(leaf.certPem.length),
      'fullchain.pem': leaf.chainPem,
      'privkey.pem': leaf.keyPem,
    })
  },
}

/** A mounted secret of cert-manager. */
export const certManager: ToolLayout = {
  tool: 'cert-manager',
  pattern: 'hosts/*',
  hostOf: (name) => `hosts/${name.replace('*.', 'any-')}`,
  write(root, name, leaf) {
    put(join(root, 'hosts', name.replace('*.', 'any-')), {
      'ca.crt': leaf.chainPem.slice(leaf.certPem.length),
      'tls.crt': leaf.chainPem,
      'tls.key': leaf.keyPem,
    })
  },
}

/** Writes files into a directory, in place. */
export function put(directory: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(directory, { recursive: true })
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), content, { mode: 0o600 })
}
