import type { LeafOptions } from '../../../support/material/certificates.js'
import type { AcceptedRow, Group, RefusedRow } from '../corpus.js'
import { pairOptions, type Site } from '../site.js'

const ID = 'spiffe://corpus.example/api'
const REQUIRED = ['localhost', 'API.corpus.example', '192.0.2.1', '2001:db8::1', ID, 'ops@corpus.example']
const ALL: LeafOptions = {
  names: ['localhost', 'api.corpus.example'],
  ips: ['192.0.2.1', '2001:db8::1'],
  uris: [ID],
  emails: ['ops@corpus.example'],
}

const right = (site: Site) => site.pair(site.leaf(ALL))

/** Names that the policy requires. */
export const requiredNames: Group = {
  title: 'a certificate that must cover some names',
  options: (site) => ({ ...pairOptions(site), policy: { requiredNames: REQUIRED } }),
  right,
  rows: [
    no(
      'one name is missing',
      'NAME_NOT_COVERED',
      { ...ALL, names: ['localhost'] },
      { example: 'NAME_NOT_COVERED' },
    ),
    no('one address is missing', 'NAME_NOT_COVERED', { ...ALL, ips: ['192.0.2.1'] }),
    no('another SPIFFE ID', 'NAME_NOT_COVERED', { ...ALL, uris: [`${ID}/v2`] }),
    no('no e-mail address', 'NAME_NOT_COVERED', { ...ALL, emails: [] }),
    no('no name at all', 'NAME_NOT_COVERED', { names: [], commonName: 'localhost' }),
    no('a wildcard of another level', 'NAME_NOT_COVERED', {
      ...ALL,
      names: ['localhost', '*.api.corpus.example'],
    }),
    yes('a wildcard that covers it', { ...ALL, names: ['localhost', '*.corpus.example'] }),
    yes('more names than that', { ...ALL, names: ['localhost', 'api.corpus.example', 'more.example'] }),
  ],
}

/** The default policy: a lost name is reported. */
export const lostNames: Group = {
  title: 'a certificate that lacks names of the served one',
  options: pairOptions,
  right,
  rows: [
    yes('a name', { ...ALL, names: ['localhost'] }, ['NAMES_LOST']),
    yes('an address', { ...ALL, ips: [] }, ['NAMES_LOST']),
    yes('a SPIFFE ID', { ...ALL, uris: [`${ID}/v2`] }, ['NAMES_LOST']),
    yes('an e-mail address', { ...ALL, emails: [] }, ['NAMES_LOST']),
    yes('a name that a wildcard now covers', { ...ALL, names: ['localhost', '*.corpus.example'] }),
    yes('all of them, without any other name', { names: [], commonName: 'localhost' }, [
      'NAME_NOT_COVERED',
      'NAMES_LOST',
    ]),
    yes('a thousand more names', { ...ALL, names: [...numbered(1000), 'localhost', 'api.corpus.example'] }),
    no(
      'more names than a handshake can carry',
      'REHEARSAL_FAILED',
      { ...ALL, names: numbered(10_000) },
      { forcible: false },
    ),
  ],
}

/** The policy that prefers to keep the old certificate. */
export const keptNames: Group = {
  title: 'a certificate that lacks names, which the policy refuses',
  options: (site) => ({ ...pairOptions(site), policy: { namesLost: 'reject' } }),
  right,
  rows: [
    no(
      'a name',
      'NAMES_LOST',
      { ...ALL, names: ['localhost'] },
      { onlyAgainstServed: true, example: 'NAMES_LOST' },
    ),
    no('an address', 'NAMES_LOST', { ...ALL, ips: ['192.0.2.1'] }, { onlyAgainstServed: true }),
    yes('no name, but in another order', { ...ALL, names: ['api.corpus.example', 'localhost'] }),
  ],
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i}.example`)
}

function yes(id: string, options: LeafOptions, warns: AcceptedRow['warns'] = []): AcceptedRow {
  return { id, accepted: (site) => site.pair(site.leaf(options)), warns }
}

function no(
  id: string,
  refused: 'NAME_NOT_COVERED' | 'NAMES_LOST' | 'REHEARSAL_FAILED',
  options: LeafOptions,
  more: Partial<RefusedRow> = {},
): RefusedRow {
  return {
    id,
    spoil(site) {
      site.pair(site.leaf(options))
    },
    refused,
    at: 'tls.crt',
    forcible: true,
    ...more,
  }
}
