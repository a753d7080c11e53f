import { basename, dirname } from 'node:path'

/** A host's files, found by name only. */
export interface Candidate {
  /** The directory or, if it has several pairs, the path of the files without extension. */
  readonly id: string
  readonly cert: string
  readonly key: string
  /** `directory`: the directory is the host. `named`: the files carry the host's name. */
  readonly kind: 'directory' | 'named'
}

/** File names of one host's directory: those of cert-manager, then of certbot and dehydrated. */
export const FIXED = [
  ['tls.crt', 'tls.key'],
  ['fullchain.pem', 'privkey.pem'],
] as const

/** acme.sh's chain file, next to `NAME.key` and `NAME.cer` (only the leaf). */
const ACME_SH_CHAIN = 'fullchain.cer'

/** `NAME.crt` of lego and Caddy, `NAME.cer` of acme.sh; lego's `NAME.pem` also contains the key. */
const EXTENSIONS = ['.crt', '.cer', '.pem'] as const

/** dehydrated's OCSP response next to its `fullchain.pem`. */
const RESPONSE = 'ocsp.der'
/** HAProxy looks for the response of `NAME.pem` in `NAME.pem.ocsp`. */
const RESPONSE_EXTENSION = '.ocsp'

/** Possible paths of a host's OCSP response, next to its certificate file; the first that exists is used. */
export function responsePathsOf({ cert, kind }: Candidate): string[] {
  const own = cert + RESPONSE_EXTENSION
  return kind === 'directory' ? [own, `${dirname(cert)}/${RESPONSE}`] : [own]
}

/** Layouts supported by the option `hosts`, for messages. */
export const EXPECTED =
  'tls.crt and tls.key, fullchain.pem and privkey.pem, fullchain.cer and NAME.key, or NAME.crt (.cer, .pem) and NAME.key'

/** Every pair that these file names can form; preferred ones first. */
export function candidatesIn(directory: string, names: ReadonlySet<string>): Candidate[] {
  // Not joined: `join` would resolve `..` after a symbolic link wrongly.
  const within = (name: string) => `${directory}/${name}`
  const whole = (cert: string, key: string): Candidate => {
    return { id: directory, cert: within(cert), key: within(key), kind: 'directory' }
  }
  const found = FIXED.filter(([cert]) => names.has(cert)).map(([cert, key]) => whole(cert, key))
  const bases = [...names]
    .filter((name) => name.endsWith('.key'))
    .map((name) => name.slice(0, -'.key'.length))
  const own = hostNameOf(directory)
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

/** The hosts of one directory: the directory itself, or else one per name. */
export function chosenFrom(candidates: readonly Candidate[]): Candidate[] {
  const whole = candidates.find(({ kind }) => kind === 'directory')
  return whole ? [whole] : firstOfEach(candidates)
}

/** The first candidate of each host. */
export function firstOfEach(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>()
  return candidates.filter(({ id }) => seen.size < seen.add(id).size)
}

/** Certificate files without a key of the same name. Issuer files are excluded, because they need none. */
export function withoutKey(names: ReadonlySet<string>): string[] {
  return [...names].filter((name) => {
    const [, base] = /^(.+)\.(?:crt|cer)$/.exec(name) ?? []
    return base !== undefined && !ISSUERS.test(base) && !names.has(`${base}.key`)
  })
}

const ISSUERS = /(^|[._-])(issuer|ca|root|intermediate|chain|fullchain|bundle|ca-certificates)$/i

/** Maps a candidate's certificate file to equally possible candidates of the same directory. */
export function alternativesIn(candidates: readonly Candidate[]): (cert: string) => readonly Candidate[] {
  const byId = new Map<string, Candidate[]>()
  for (const candidate of candidates) byId.set(candidate.id, [...(byId.get(candidate.id) ?? []), candidate])
  const whole = candidates.filter(({ kind }) => kind === 'directory')
  const kinds = new Map(candidates.map((candidate) => [candidate.cert, candidate]))
  return (cert) => {
    const chosen = kinds.get(cert)
    if (chosen?.kind === 'directory') return candidates.filter((one) => one.cert !== cert)
    const same = byId.get(chosen?.id ?? '') ?? []
    // lego optionally writes a `.pem` next to the other files: the certificate with its key.
    return [...whole, ...same.filter((one) => one.cert !== cert && !one.cert.endsWith('.pem'))]
  }
}

/** The host name in a directory name. acme.sh appends `_ecc` for EC keys. */
function hostNameOf(directory: string): string {
  return basename(directory).replace(/_ecc$/, '')
}

function acmeShBase(bases: readonly string[], own: string, names: ReadonlySet<string>): string | null {
  if (bases.includes(own)) return own
  const withLeaf = bases.filter((base) => names.has(`${base}.cer`))
  return withLeaf.length === 1 ? (withLeaf[0] as string) : null
}
