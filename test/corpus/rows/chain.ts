import { createAuthority, type LeafOptions, selfSigned } from '../../../support/material/certificates.js'
import { withDamagedSignature } from '../../../support/material/odd-certificate.js'
import type { AcceptedRow, Group, RefusedRow, Row } from '../corpus.js'
import { intermediate, pairOptions, rightPair, root, type Site } from '../site.js'

const stranger = createAuthority({ name: 'Corpus Stranger' })
const deep = intermediate.issueAuthority({ name: 'Corpus Deep Intermediate' })
const expiredRoot = createAuthority({
  name: 'Corpus Expired Root',
  notBefore: new Date('2010-01-31'),
  notAfter: new Date('2020-01-31'),
})
const dead = root.issueAuthority({
  name: 'Corpus Dead Intermediate',
  notBefore: new Date('2010-01-31'),
  notAfter: new Date('2020-01-31'),
})
const unborn = root.issueAuthority({ name: 'Corpus Unborn Intermediate', notBefore: new Date('2100-01-31') })
const childless = root.issueAuthority({ name: 'Corpus Childless Intermediate', pathLength: 0 })
const below = childless.issueAuthority({ name: 'Corpus Forbidden Intermediate' })

const past = { notBefore: new Date('2010-01-31'), notAfter: new Date('2020-01-31') }
const oldIntermediate = root.issueAuthority({ name: intermediate.name, key: intermediate, ...past })
const strangeOld = root.issueAuthority({ name: intermediate.name, ...past })
const sha1Twin = root.issueAuthority({ name: intermediate.name, key: intermediate, signatureHash: 'sha1' })
const crossSigned = createAuthority({ name: 'Corpus Former Root' }).issueAuthority({
  ...{ name: root.name, key: root },
  ...past,
})

const EXPIRED_ANYWAY = { warns: ['CERT_EXPIRED'], at: 'tls.crt' } as const
const SERVED_ANYWAY = { warns: ['CHAIN_ORDER'], at: 'tls.crt' } as const

/** The certificates after the leaf. */
export const chain: Group = {
  title: 'a chain that is too long, too short, out of order or of another leaf',
  options: pairOptions,
  right: rightPair,
  rows: [
    behind('the root too', [intermediate, root]),
    behind('three levels', [deep, intermediate], {}, deep),
    behind('the intermediate three times', [intermediate, intermediate, intermediate]),
    behind('root before intermediate', [root, intermediate], { ...SERVED_ANYWAY, example: 'CHAIN_ORDER' }),
    behind('levels from the top down', [root, intermediate, deep], SERVED_ANYWAY, deep),
    behind('a certificate that is not part of the chain', [intermediate, stranger], SERVED_ANYWAY),
    behind('an expired root', [expiredRoot], { warns: ['CERT_EXPIRED'], at: 'tls.crt' }, expiredRoot),
    behind('an old certificate of the intermediate', [intermediate, oldIntermediate], EXPIRED_ANYWAY),
    behind(
      'an old certificate of the intermediate, before it',
      [oldIntermediate, intermediate],
      EXPIRED_ANYWAY,
    ),
    behind('an expired cross-signature of the root', [intermediate, crossSigned], EXPIRED_ANYWAY),
    behind('an expired intermediate with the same name and another key', [strangeOld, intermediate], {
      warns: ['CHAIN_ORDER', 'CERT_EXPIRED'],
    }),
    behind('a certificate of the intermediate that is signed with SHA-1', [sha1Twin, intermediate], {
      warns: ['KEY_TOO_WEAK'],
      at: 'tls.crt',
    }),
    behind('no certificate, where the issuer is not a public root', [], {
      warns: ['CHAIN_INCOMPLETE'],
      at: 'tls.crt',
      example: 'CHAIN_INCOMPLETE',
    }),
    {
      id: 'the leaf twice',
      accepted(site) {
        const leaf = rightPair(site)
        site.write('tls.crt', leaf.certPem + leaf.chainPem)
        return leaf
      },
    },
    {
      id: 'a self-signed certificate',
      accepted: (site) => site.pair(selfSigned()),
    },
    {
      id: 'a self-signed certificate that may sign others, as `openssl req -x509` creates it',
      accepted: (site) => site.pair(selfSigned({ isCa: true })),
      warns: ['CERT_IS_CA'],
      at: 'tls.crt',
      example: 'CERT_IS_CA',
    },
    {
      id: 'the intermediate before the leaf',
      spoil(site) {
        const leaf = rightPair(site)
        site.write('tls.crt', intermediate.certPem + leaf.certPem)
      },
      refused: 'CHAIN_ORDER',
      at: 'tls.crt',
    },
    {
      id: 'more certificates than a chain has',
      spoil(site) {
        const leaf = rightPair(site)
        site.write('tls.crt', leaf.certPem + intermediate.certPem.repeat(19))
      },
      refused: 'CHAIN_TOO_LONG',
      at: 'tls.crt',
      example: 'CHAIN_TOO_LONG',
    },
    issued('the intermediate of another chain', 'CHAIN_INCOMPLETE', {}, { chain: [stranger] }),
    issued(
      'a re-keyed intermediate of the same name',
      'CHAIN_INCOMPLETE',
      {},
      {
        chain: [root.issueAuthority({ name: intermediate.name })],
      },
    ),
    issued('a CA in place of the leaf', 'CERT_IS_CA', { isCa: true }),
    issued(
      'a certificate for clients',
      'CERT_PURPOSE',
      { extendedKeyUsage: 'client' },
      { example: 'CERT_PURPOSE' },
    ),
    issued('an intermediate that has expired', 'CERT_EXPIRED', {}, { issuer: dead }),
    issued('an intermediate that is not valid yet', 'CERT_NOT_YET_VALID', {}, { issuer: unborn }),
    issued('an intermediate below one that must not have any', 'REHEARSAL_FAILED', {}, { issuer: below }),
    {
      id: 'an issuer without permission to sign',
      spoil(site) {
        const issuer = root.issue({ names: ['issuer.example'] })
        // Created by hand: the certificate names an issuer that is a leaf itself.
        const leaf = site.pair(site.leaf({}, createAuthority({ name: 'issuer.example', key: issuer })))
        site.write('tls.crt', leaf.certPem + issuer.certPem)
      },
      refused: 'CHAIN_INCOMPLETE',
      at: 'tls.crt',
      forcible: true,
    },
  ],
}

/** For sites whose clients are known to lack intermediates. */
export const completeChain: Group = {
  title: 'a chain that the policy requires to be complete',
  options: (site) => ({ ...pairOptions(site), policy: { incompleteChain: 'reject' } }),
  right: rightPair,
  rows: [
    {
      id: 'the leaf alone',
      spoil: (site, served) => site.write('tls.crt', served.certPem),
      refused: 'CHAIN_INCOMPLETE',
      at: 'tls.crt',
      forcible: true,
    },
    {
      id: 'a self-signed certificate',
      accepted: (site) => site.pair(selfSigned()),
    },
  ],
}

/** The engine's own trust anchors contain the issuer. */
export const knownIssuer: Group = {
  title: 'a chain whose issuer is a trust anchor',
  options: (site) => ({ ...pairOptions(site), ca: site.path('ca.crt') }),
  right(site) {
    site.write('ca.crt', root.certPem)
    return rightPair(site)
  },
  rows: [
    {
      id: 'the leaf alone, issued by the anchor',
      accepted: (site) => site.pair(site.leaf({}, root)),
    },
    {
      id: 'the leaf alone, issued by an intermediate',
      accepted(site) {
        const leaf = rightPair(site)
        site.write('tls.crt', leaf.certPem)
        return leaf
      },
      warns: ['CHAIN_INCOMPLETE'],
    },
    {
      id: 'a flipped bit in the signature of a leaf that the anchor issued',
      spoil(site) {
        const leaf = site.pair(site.leaf({}, root))
        site.write('tls.crt', withDamagedSignature(leaf.certPem))
      },
      refused: 'SIGNATURE_INVALID',
      at: 'tls.crt',
      forcible: true,
      example: 'SIGNATURE_INVALID',
    },
    {
      id: 'a flipped bit in the signature of the intermediate',
      spoil(site) {
        const leaf = rightPair(site)
        site.write('tls.crt', leaf.certPem + withDamagedSignature(intermediate.certPem))
      },
      refused: 'SIGNATURE_INVALID',
      at: 'tls.crt',
      forcible: true,
    },
  ],
}

/** Keys and signatures that clients refuse; security level 0 lets OpenSSL itself load them. */
export const weakness: Group = {
  title: 'a key or a signature that is too weak',
  options: (site) => ({ ...pairOptions(site), tls: { ciphers: 'DEFAULT@SECLEVEL=0' } }),
  right: rightPair,
  rows: weakRows((id, put, example) => ({
    id,
    spoil: (site) => {
      put(site)
    },
    refused: 'KEY_TOO_WEAK',
    at: 'tls.crt',
    forcible: true,
    ...(example ? { example: 'KEY_TOO_WEAK' } : {}),
  })),
}

/** The same with a policy that only warns. */
export const toleratedWeakness: Group = {
  title: 'a weak key or signature that the policy allows',
  options: (site) => ({
    ...pairOptions(site),
    tls: { ciphers: 'DEFAULT@SECLEVEL=0' },
    policy: { weakKey: 'warn' },
  }),
  right: rightPair,
  client: () => ({ ciphers: 'DEFAULT@SECLEVEL=0' }),
  rows: weakRows((id, put) => ({ id, accepted: put, warns: ['KEY_TOO_WEAK'], at: 'tls.crt' })),
}

/** The same with the default ciphers: the policy alone makes it serve, on every Node. */
export const servedWeakness: Group = {
  title: 'a weak key or signature that the policy allows, with the default ciphers',
  options: (site) => ({ ...pairOptions(site), policy: { weakKey: 'warn' } }),
  right: rightPair,
  client: () => ({ ciphers: 'DEFAULT@SECLEVEL=0' }),
  rows: weakRows((id, put) => ({ id, accepted: put, warns: ['KEY_TOO_WEAK'], at: 'tls.crt' })),
}

function weakRows(
  row: (id: string, put: (site: Site) => ReturnType<Site['pair']>, example?: boolean) => Row,
): Row[] {
  return [
    row('an RSA key of 1,024 bits', (site) => site.pair(site.leaf({ keyType: 'rsa-1024' })), true),
    row('a leaf signed with SHA-1', (site) => site.pair(site.leaf({ signatureHash: 'sha1' }))),
    row('a leaf signed with RSA-PSS and SHA-1', (site) =>
      site.pair(site.leaf({ signatureHash: 'sha1' }, pssIssuer)),
    ),
    row('an intermediate signed with SHA-1', (site) => site.pair(site.leaf({}, sha1Intermediate))),
    row('an intermediate with a key of 1,024 bits', (site) => site.pair(site.leaf({}, shortIntermediate))),
  ]
}

const pssIssuer = root.issueAuthority({ name: 'Corpus PSS Intermediate', keyType: 'rsa-pss' })
const sha1Intermediate = root.issueAuthority({ name: 'Corpus SHA-1 Intermediate', signatureHash: 'sha1' })
const shortIntermediate = root.issueAuthority({ name: 'Corpus Short Intermediate', keyType: 'rsa-1024' })

function behind(
  id: string,
  certificates: readonly { readonly certPem: string }[],
  more: Partial<AcceptedRow> = {},
  issuer = intermediate,
): AcceptedRow {
  return {
    id: `after the leaf: ${id}`,
    accepted(site) {
      const leaf = site.pair(site.leaf({}, issuer))
      site.write('tls.crt', leaf.certPem + certificates.map(({ certPem }) => certPem).join(''))
      return leaf
    },
    ...more,
  }
}

function issued(
  id: string,
  refused: RefusedRow['refused'],
  options: LeafOptions,
  more: {
    issuer?: typeof root
    chain?: readonly { readonly certPem: string }[]
    example?: RefusedRow['example']
  } = {},
): RefusedRow {
  return {
    id,
    spoil(site) {
      const leaf = site.pair(site.leaf(options, more.issuer))
      if (more.chain) site.write('tls.crt', leaf.certPem + more.chain.map(({ certPem }) => certPem).join(''))
    },
    refused,
    at: 'tls.crt',
    forcible: true,
    ...(more.example ? { example: more.example } : {}),
  }
}
