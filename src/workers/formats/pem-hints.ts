import { shellWord } from '../base/shell-word.js'
import { derOf, type PemBlock } from './pem.js'

/** Labels that `openssl pkcs7` accepts. */
const PKCS7_LABELS = new Set(['PKCS7', 'PKCS #7 SIGNED DATA'])

/**
 * How to convert PEM of the wrong kind, to append to a message; empty if the kind alone is enough. Tests run each
 * command.
 */
export function pemHint(blocks: readonly PemBlock[], path: string): string {
  const has = (suffix: string) => blocks.some(({ label }) => label.endsWith(suffix))
  if (blocks.some(({ label }) => PKCS7_LABELS.has(label))) return `; ${pkcs7Hint(path)}`
  if (has('CERTIFICATE REQUEST')) {
    return `, which a CA signs; put the certificate that it issues here (see what the request is for with: openssl req -in ${shellWord(path)} -noout -subject)`
  }
  const openSsh = blocks.find(({ label }) => label === 'OPENSSH PRIVATE KEY')
  return openSsh ? `; ${openSshHint(openSsh, path)}` : ''
}

/** `openssl pkcs7` also reads PKCS#7 labelled as a certificate. */
export function pkcs7Hint(path: string): string {
  return `convert it with: openssl pkcs7 -in ${shellWord(path)} -print_certs -out ${shellWord(`${path}.pem`)}`
}

/**
 * How to convert a key from OpenSSH's format (PROTOCOL.key of OpenSSH). `ssh-keygen` of OpenSSH 9.2 keeps Ed25519 keys
 * in that format, regardless of `-m`.
 */
export function openSshHint({ pem }: Pick<PemBlock, 'pem'>, path: string): string {
  const content = derOf(pem).toString('latin1')
  if (content.includes('ssh-ed25519')) {
    const other = 'generate another key and have the certificate issued for it'
    return `ssh-keygen does not convert Ed25519 keys; ${other}: openssl genpkey -algorithm ed25519 -out NEW.key`
  }
  const isPlain = content.startsWith('openssh-key-v1\0\0\0\0\x04none')
  return `convert it in place with: ssh-keygen -p${isPlain ? " -N ''" : ''} -m PKCS8 -f ${shellWord(path)}`
}
