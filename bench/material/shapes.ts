/** The properties of a set of files that determine the cost of loading it. */
export interface Shape {
  readonly title: string
  readonly keyType: 'ec' | 'rsa-4096'
  /** PBKDF2 iterations of an encrypted key; `undefined` for a plain one. */
  readonly iterations?: number
  readonly authorities: number
  /** Pairs of SNI hosts, each in a directory of its own. */
  readonly hosts?: number
}

/** PBKDF2-HMAC-SHA256 iterations recommended by OWASP since 2023. */
const SLOW = 600_000

export const PLAIN: Shape = withAuthorities(0)
export const ENCRYPTED: Shape = {
  title: 'EC, encrypted key',
  keyType: 'ec',
  iterations: SLOW,
  authorities: 0,
}
export const BUNDLE: Shape = withAuthorities(150)
export const LARGE_BUNDLE: Shape = withAuthorities(500)
export const HEAVY: Shape = {
  title: 'RSA-4096, encrypted key, 500 CAs',
  keyType: 'rsa-4096',
  iterations: SLOW,
  authorities: 500,
}

/** A plain EC pair and this number of SNI hosts. */
export function withHosts(hosts: number): Shape {
  return { title: `EC pair, ${hosts.toLocaleString('en')} hosts`, keyType: 'ec', authorities: 0, hosts }
}

/** A plain EC pair with this number of trust anchors. */
export function withAuthorities(authorities: number): Shape {
  const title =
    authorities === 0
      ? 'EC pair'
      : `EC pair, ${authorities.toLocaleString('en')} CA${authorities === 1 ? '' : 's'}`
  return { title, keyType: 'ec', authorities }
}
