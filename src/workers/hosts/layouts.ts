import { basename, dirname } from 'node:path'

/** Files that make up a host, by their names alone. */
export interface Candidate {
  /** The directory, or for one of several pairs in it the path of its files without their extension. */
  readonly id: string
  readonly cert: string
  readonly key: string
  /** `directory`: the names say that the directory is the host. `named`: the files are called by the host's name. */
  readonly kind: 'directory' | 'named'
}

/** What a directory of one host may hold: cert-manager's names, and those of certbot and dehydrated. */
export const FIXED = [
  ['tls.crt', 'tls.key'],
  ['fullchain.pem', 'privkey.pem'],
] as const

/** acme.sh writes the chain to this file, beside `NAME.key` and the leaf alone in `NAME.cer`. */
const ACME_SH_CHAIN = 'fullchain.cer'

/** `NAME.crt` of lego and Caddy, `NAME.cer` of acme.sh; lego's `NAME.pem` holds the key too. */
const EXTENSIONS = ['.crt', '.cer', '.pem'] as const

/** What dehydrated calls the OCSP response beside its `fullchain.pem`. */
const RESPONSE = 'ocsp.der'
/** HAProxy looks for the response of `NAME.pem` in `NAME.pem.ocsp`. */
const RESPONSE_EXTENSION = '.ocsp'

/** Where the OCSP response of a host may lie, beside its certificate file; the first that is there is taken. */
export function responsePathsOf({ cert, kind }: Candidate): string[] {
  const own = cert + RESPONSE_EXTENSION
  return kind === 'directory' ? [own, `${dirname(cert)}/${RESPONSE}`] : [own]
}

/** What the option `hosts` looks for, for messages. */
export const EXPECTED =
  'tls.crt and tls.key, fullchain.pem and privkey.pem, fullchain.cer and NAME.key, or NAME.crt (.cer, .pem) and NAME.key'

/** Every pair that these names in a directory can mean; the ones to be preferred come first. */
export function candidatesIn(directory: string, names: ReadonlySet<string>): Candidate[] {
  // Not joined: a path with `..` behind a link would be made another one.
  const within = (name: string) => `${directory}/${name}`
  const whole = (cert: string, key: string): Candidate => {
    return { id: directory, cert: within(cert), key: within(key), kind: 'directory' }
  }
  const found = FIXED.filter(([cert]) => names.has(cert)).map(([cert, key]) => whole(cert, key))
  const bases = [...names]
    .filter((name) => name.endsWith('.key'))
    .map((name) => name.slice(0, -'.key'.length))
  const own = ownName(directory)
  const acme = names.has(ACME_SH_CHAIN) ? acmeShBase(bases, own, names) : null
  if (acme !== null) found.push(whole(ACME_SH_CHAIN, `${acme}.key`))
  const taken = new Set(['ca', ...(acme === null ? [] : [acme]), ...(names.has('tls.crt') ? ['tls'] : [])])
  for (const base of bases) {
    if (taken.has(base)) continue
    const id = base === own ? directory : within(base)
    for (const extension of EXTENSIONS) {
      if (!names.has(base + extension)) continue
      found.push({ id, cert: within(base + extension), key: within(`${base}.key`), kind: 'named' })
    }
  }
  return found
}

/** The hosts among the candidates of one directory: the one that the directory is, or else one for each name. */
export function chosenFrom(candidates: readonly Candidate[]): Candidate[] {
  const whole = candidates.find(({ kind }) => kind === 'directory')
  return whole ? [whole] : firstOfEach(candidates)
}

/** One candidate for each host. */
export function firstOfEach(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>()
  return candidates.filter(({ id }) => seen.size < seen.add(id).size)
}

/** Certificate files without a key of the same name. Those of issuers are left out, because they need none. */
export function withoutKey(names: ReadonlySet<string>): string[] {
  return [...names].filter((name) => {
    const [, base] = /^(.+)\.(?:crt|cer)$/.exec(name) ?? []
    return base !== undefined && !ISSUERS.test(base) && !names.has(`${base}.key`)
  })
}

const ISSUERS = /(^|[._-])(issuer|ca|root|intermediate|chain|fullchain|bundle|ca-certificates)$/i

/** Finds, by the certificate file of a candidate, the others of the same directory that may be meant just as well. */
export function rivalsIn(candidates: readonly Candidate[]): (cert: string) => readonly Candidate[] {
  const byId = new Map<string, Candidate[]>()
  for (const candidate of candidates) byId.set(candidate.id, [...(byId.get(candidate.id) ?? []), candidate])
  const whole = candidates.filter(({ kind }) => kind === 'directory')
  const kinds = new Map(candidates.map((candidate) => [candidate.cert, candidate]))
  return (cert) => {
    const chosen = kinds.get(cert)
    if (chosen?.kind === 'directory') return candidates.filter((one) => one.cert !== cert)
    const same = byId.get(chosen?.id ?? '') ?? []
    // A `.pem` beside another file is what lego writes on request: the certificate with its key.
    return [...whole, ...same.filter((one) => one.cert !== cert && !one.cert.endsWith('.pem'))]
  }
}

/** The name of the host that a directory is called by. acme.sh adds `_ecc` for EC keys. */
function ownName(directory: string): string {
  return basename(directory).replace(/_ecc$/, '')
}

function acmeShBase(bases: readonly string[], own: string, names: ReadonlySet<string>): string | null {
  if (bases.includes(own)) return own
  const withLeaf = bases.filter((base) => names.has(`${base}.cer`))
  return withLeaf.length === 1 ? (withLeaf[0] as string) : null
}
