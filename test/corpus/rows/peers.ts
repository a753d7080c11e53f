import { createAuthority } from '../../../support/material/certificates.js'
import type { Group, RefusedRow } from '../corpus.js'
import { pairOptions, rightPair, root, type Site } from '../site.js'

const visitor = root.issue({ names: ['visitor.example'] })

/** Rules about clients on a server that requires client certificates. */
export const peers: Group = {
  title: 'a file of rules about clients',
  options: (site) => ({
    ...pairOptions(site),
    ca: site.path('ca.crt'),
    peers: { file: site.path('peers.json') },
    requestCert: true,
  }),
  right(site) {
    site.write('ca.crt', root.certPem)
    write(site, [{ dns: 'visitor.example' }])
    return rightPair(site)
  },
  client: () => ({ cert: visitor.chainPem, key: visitor.keyPem }),
  rows: [
    yes('a byte order mark', (site) =>
      site.write('peers.json', '\ufeff{ "allow": [{ "dns": "visitor.example" }] }'),
    ),
    yes('further rules, and one twice', (site) =>
      write(site, [{ cn: 'x' }, { dns: '*.example' }, { dns: 'visitor.example' }, { dns: '*.example' }]),
    ),
    no('the file is gone', 'FILE_NOT_FOUND', (site) => site.remove('peers.json')),
    no('nothing', 'PEERS_INVALID', (site) => site.write('peers.json', '')),
    no('a certificate', 'PEERS_INVALID', (site) => site.write('peers.json', createAuthority().certPem)),
    {
      ...no('a rule with a wildcard inside a label', 'PEERS_INVALID', (site) =>
        write(site, [{ dns: 'visitor.example' }, { dns: 'web*.example' }]),
      ),
      example: 'PEERS_INVALID',
    },
    { ...no('no rule', 'PEERS_EMPTY', (site) => write(site, [])), example: 'PEERS_EMPTY' },
  ],
}

function write(site: Site, allow: readonly object[]): void {
  site.write('peers.json', JSON.stringify({ allow }))
}

function yes(id: string, change: (site: Site) => void): Group['rows'][number] {
  return {
    id,
    accepted(site) {
      change(site)
      return rightPair(site)
    },
  }
}

function no(id: string, refused: RefusedRow['refused'], spoil: RefusedRow['spoil']): RefusedRow {
  return { id, refused, at: 'peers.json', spoil }
}
