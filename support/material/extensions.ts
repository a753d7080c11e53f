import { isIPv4 } from 'node:net'

import { bits, constructed, integer, octets, oid, primitive, sequence, yes } from './der.js'

/** The purpose of a leaf. */
export type Purpose = 'server' | 'client' | 'both' | 'none'

export interface AlternativeNames {
  readonly names?: readonly string[] | undefined
  readonly ips?: readonly string[] | undefined
  readonly uris?: readonly string[] | undefined
  readonly emails?: readonly string[] | undefined
  /** Encoded GeneralNames, after all others. */
  readonly otherNames?: readonly Buffer[] | undefined
}

export function extension(id: string, value: Buffer, critical = false): Buffer {
  return critical ? sequence(oid(id), yes(), octets(value)) : sequence(oid(id), octets(value))
}

export function basicConstraints(isCa: boolean, pathLength?: number): Buffer {
  const fields = isCa ? [yes(), ...(pathLength === undefined ? [] : [integer(pathLength)])] : []
  return extension('2.5.29.19', sequence(...fields), true)
}

/** Empty without names: such an authority may issue for any name. */
export function nameConstraints(
  permitted: readonly string[],
  permittedUris: readonly string[] = [],
): Buffer[] {
  if (permitted.length + permittedUris.length === 0) return []
  const subtrees = [
    ...permitted.map((name) => sequence(primitive(2, Buffer.from(name)))),
    ...permittedUris.map((host) => sequence(primitive(6, Buffer.from(host)))),
  ]
  return [extension('2.5.29.30', sequence(constructed(0, ...subtrees)), true)]
}

const usageBits = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, crlSign: 0x02 }

export function keyUsage(...usages: (keyof typeof usageBits)[]): Buffer {
  const byte = usages.reduce((sum, usage) => sum | usageBits[usage], 0)
  const trailingZeros = 31 - Math.clz32(byte & -byte)
  return extension('2.5.29.15', bits(Buffer.from([byte]), trailingZeros), true)
}

/** Empty for `none`: a certificate without the extension is valid for every purpose. */
export function extendedKeyUsage(purpose: Purpose): Buffer[] {
  const ids = {
    server: ['1.3.6.1.5.5.7.3.1'],
    client: ['1.3.6.1.5.5.7.3.2'],
    both: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'],
    none: [],
  }[purpose]
  return ids.length === 0 ? [] : [extension('2.5.29.37', sequence(...ids.map(oid)))]
}

/** Empty without any name. */
export function subjectAltName(
  { names = [], ips = [], uris = [], emails = [], otherNames = [] }: AlternativeNames,
  critical: boolean,
): Buffer[] {
  const entries = [
    ...emails.map((email) => primitive(1, Buffer.from(email))),
    ...names.map((name) => primitive(2, Buffer.from(name))),
    ...uris.map((uri) => primitive(6, Buffer.from(uri))),
    ...ips.map((ip) => primitive(7, addressBytes(ip))),
    ...otherNames,
  ]
  return entries.length === 0 ? [] : [extension('2.5.29.17', sequence(...entries), critical)]
}

export function subjectKeyId(keyId: Buffer): Buffer {
  return extension('2.5.29.14', octets(keyId))
}

export function authorityKeyId(keyId: Buffer): Buffer {
  return extension('2.5.29.35', sequence(primitive(0, keyId)))
}

function addressBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number))
  const [head = '', tail = ''] = ip.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const missing = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}
