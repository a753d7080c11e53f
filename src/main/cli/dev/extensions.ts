import type { KeyObject } from 'node:crypto'
import { createHash, createPublicKey } from 'node:crypto'
import { isIPv4 } from 'node:net'

import { BitString, OctetString } from 'asn1js'
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  Extension,
  ExtKeyUsage,
  GeneralName,
  GeneralNames,
} from 'pkijs'

/** The subject alternative names of a certificate. */
export interface SubjectNames {
  readonly names: readonly string[]
  readonly ips: readonly string[]
}

/** Extensions of a CA that may only sign leaves. */
export function authorityExtensions(key: KeyObject): Extension[] {
  return [
    extension('2.5.29.19', new BasicConstraints({ cA: true, pathLenConstraint: 0 }).toSchema(), true),
    extension('2.5.29.15', namedBits(keyCertSign | crlSign), true),
    extension('2.5.29.14', subjectKeyId(key)),
  ]
}

/** Extensions of a server certificate. */
export function leafExtensions(key: KeyObject, issuerKey: KeyObject, names: SubjectNames): Extension[] {
  const serverAuth = '1.3.6.1.5.5.7.3.1'
  return [
    extension('2.5.29.19', new BasicConstraints({ cA: false }).toSchema(), true),
    extension('2.5.29.15', namedBits(digitalSignature), true),
    extension('2.5.29.37', new ExtKeyUsage({ keyPurposes: [serverAuth] }).toSchema()),
    extension('2.5.29.17', generalNames(names).toSchema()),
    extension('2.5.29.14', subjectKeyId(key)),
    extension('2.5.29.35', new AuthorityKeyIdentifier({ keyIdentifier: subjectKeyId(issuerKey) }).toSchema()),
  ]
}

const digitalSignature = 0x80
const keyCertSign = 0x04
const crlSign = 0x02

function extension(extnID: string, value: { toBER(): ArrayBuffer }, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: value.toBER() })
}

/** DER omits trailing zero bits. */
function namedBits(byte: number): BitString {
  const unusedBits = 31 - Math.clz32(byte & -byte)
  return new BitString({ valueHex: Uint8Array.of(byte), unusedBits })
}

/** RFC 7093, section 2, method 4. */
function subjectKeyId(key: KeyObject): OctetString {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return new OctetString({ valueHex: createHash('sha256').update(publicKey).digest().subarray(0, 20) })
}

function generalNames({ names, ips }: SubjectNames): GeneralNames {
  const dnsName = 2
  const ipAddress = 7
  return new GeneralNames({
    names: [
      ...names.map((value) => new GeneralName({ type: dnsName, value })),
      ...ips.map(
        (ip) => new GeneralName({ type: ipAddress, value: new OctetString({ valueHex: addressBytes(ip) }) }),
      ),
    ],
  })
}

function addressBytes(ip: string): Uint8Array {
  if (isIPv4(ip)) return Uint8Array.from(ip.split('.'), Number)
  // The URL parser normalizes every notation of IPv6 addresses to hex groups with at most one '::'.
  const [head = '', tail = ''] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split('::')
  const groups = (part: string): string[] => part.split(':').filter((group) => group !== '')
  const zeros = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array<string>(zeros).fill('0'), ...groups(tail)]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}
