import {
  bits,
  constructed,
  integer,
  nothing,
  octets,
  oid,
  primitive,
  sequence,
  set,
  tagged,
  utf8,
  yes,
} from '../material/der.js'
import { extension } from '../material/extensions.js'

const any = (id: string, value: Buffer) => [extension(id, value), extension(id, value, true)]
const name = sequence(set(sequence(oid('2.5.4.3'), utf8('x'))))

/** Every kind of general name (RFC 5280, section 4.2.1.6), and some invalid ones. */
const generalNames = sequence(
  constructed(0, oid('1.3.6.1.4.1.311.20.2.3'), constructed(0, utf8('user@x.example'))),
  primitive(1, Buffer.from('a@x.example')),
  primitive(2, Buffer.from('x.example')),
  constructed(3, sequence(nothing())),
  constructed(4, name),
  constructed(5, constructed(1, utf8('party'))),
  primitive(6, Buffer.from('urn:x:", DNS:y')),
  primitive(7, Buffer.from([1, 2, 3])),
  primitive(8, Buffer.from([0x2a, 3, 4])),
)

/** Extensions that OpenSSL knows and servers seldom use, each with and without the critical flag. */
export const unusualExtensions: readonly Buffer[] = [
  ...any('2.5.29.17', generalNames),
  ...any('2.5.29.18', generalNames),
  ...any(
    '2.5.29.9',
    sequence(sequence(oid('1.3.6.1.5.5.7.9.1'), set(tagged(0x18, Buffer.from('20000101000000Z'))))),
  ),
  ...any('2.5.29.16', sequence(primitive(0, Buffer.from('20200101000000Z')))),
  ...any('2.5.29.24', tagged(0x18, Buffer.from('20200101000000Z'))),
  ...any(
    '2.5.29.30',
    sequence(
      constructed(0, sequence(constructed(4, name))),
      constructed(1, sequence(primitive(7, Buffer.alloc(8)))),
    ),
  ),
  ...any(
    '2.5.29.30',
    sequence(
      constructed(1, ...Array.from({ length: 50 }, () => sequence(primitive(2, Buffer.from('y.example'))))),
    ),
  ),
  ...any(
    '2.5.29.31',
    sequence(
      sequence(
        constructed(0, constructed(0, primitive(6, Buffer.from('http://x')))),
        primitive(1, Buffer.from([0, 0xff])),
      ),
    ),
  ),
  ...any(
    '2.5.29.32',
    sequence(
      sequence(
        oid('2.5.29.32.0'),
        sequence(sequence(oid('1.3.6.1.5.5.7.2.1'), tagged(0x16, Buffer.from('x')))),
      ),
    ),
  ),
  ...any('2.5.29.33', sequence(sequence(oid('1.2.3'), oid('1.2.4')))),
  ...any('2.5.29.36', sequence(primitive(0, Buffer.from([0])), primitive(1, Buffer.from([5])))),
  ...any('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'), oid('2.5.29.37.0'), oid('1.2.3.4.5.6'))),
  ...any(
    '2.5.29.46',
    sequence(sequence(constructed(0, constructed(0, primitive(6, Buffer.from('http://x')))))),
  ),
  ...any('2.5.29.54', integer(0)),
  ...any('2.5.29.15', bits(Buffer.alloc(0))),
  ...any('2.5.29.15', bits(Buffer.from([0xff, 0x80]), 7)),
  ...any('2.5.29.19', sequence(yes(), integer(-1 & 0xff))),
  ...any(
    '1.3.6.1.5.5.7.1.1',
    sequence(sequence(oid('1.3.6.1.5.5.7.48.1'), primitive(6, Buffer.from('http://x/\n, CA Issuers')))),
  ),
  ...any('1.3.6.1.5.5.7.1.3', sequence(sequence(oid('0.4.0.1862.1.1')))),
  // IP addresses and autonomous system numbers (RFC 3779).
  ...any('1.3.6.1.5.5.7.1.7', sequence(sequence(octets(Buffer.from([0, 1])), nothing()))),
  ...any('1.3.6.1.5.5.7.1.8', sequence(constructed(0, nothing()))),
  ...any('1.3.6.1.5.5.7.1.14', sequence(sequence(oid('1.3.6.1.5.5.7.21.1')))),
  ...any('1.3.6.1.5.5.7.1.24', sequence(integer(5))),
  ...any('1.3.6.1.5.5.7.48.1.5', nothing()),
  ...any('1.3.6.1.4.1.11129.2.4.2', octets(Buffer.alloc(64))),
  ...any('1.3.6.1.4.1.11129.2.4.3', nothing()),
  ...any('1.3.6.1.4.1.311.20.2', tagged(0x1e, Buffer.from([0, 87, 0]))),
  ...any('1.3.6.1.4.1.311.21.1', integer(0)),
  ...any('2.16.840.1.113730.1.1', bits(Buffer.from([0xff]))),
  ...any('2.16.840.1.113730.1.13', tagged(0x16, Buffer.from('a comment'))),
  ...any('1.3.6.1.4.1.99999.1', Buffer.from('no DER at all')),
  ...any('1.3.6.1.4.1.99999.2', Buffer.alloc(0)),
]
