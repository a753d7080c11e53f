/**
 * The type of an option. It determines validation, conversion to absolute paths, and how a flag sets the option.
 *
 * - `file`: the path of a file; `files`: one, or an array of them
 * - `anchors`: as `files`, or the words `system` and `default`, which are not paths
 * - `patterns`: directories or fast-glob patterns, one or an array of them
 * - `passphrase`: the passphrase itself, or `{ file }`
 * - `hosts`: patterns, or an object of files by server name
 * - `tickets`: an object with the member `secretFile`
 * - `peers`: `{ allow }` with the rules themselves, or `{ file }`
 */
export type MaterialKind =
  | 'file'
  | 'files'
  | 'anchors'
  | 'patterns'
  | 'passphrase'
  | 'hosts'
  | 'tickets'
  | 'peers'

/** Every option that locates material, with its kind. */
export interface MaterialKinds {
  readonly cert: 'files'
  readonly key: 'files'
  readonly pfx: 'file'
  readonly passphrase: 'passphrase'
  readonly ca: 'anchors'
  readonly caDir: 'patterns'
  readonly crl: 'files'
  readonly peers: 'peers'
  readonly dhparam: 'file'
  readonly ocsp: 'file'
  readonly hosts: 'hosts'
  readonly tickets: 'tickets'
}

export type MaterialOptionName = keyof MaterialKinds

/** One row of {@link MATERIAL_ROWS}. */
export interface MaterialOption<Kind extends MaterialKind = MaterialKind> {
  readonly kind: Kind
  /** For an option with one file per certificate: the plural, for the message about a wrong number of files. */
  readonly perPair?: string
  /** Set if an option of this name holds the secret itself in Node: fields of this name are redacted in log lines. */
  readonly redacted?: true
  /** The flag of `certswap serve` and `certswap check`; repeatable for a kind with several values. */
  readonly flag: { readonly name: string; readonly help: string } | null
  /** The setting of `PATCH /config`; `null` if the option cannot change while the engine runs. */
  readonly setting: string | null
}

/**
 * The table of all options that locate material. The option schema, absolute paths, the flags and configuration file of the
 * program, `PATCH /config` and the redaction of log lines use it.
 */
const MATERIAL_OPTIONS: {
  readonly [Name in MaterialOptionName]: MaterialOption<MaterialKinds[Name]>
} = {
  cert: {
    kind: 'files',
    flag: { name: '--cert <path>', help: 'PEM file of the leaf and its chain; repeat it for a second pair' },
    setting: 'cert',
  },
  key: {
    kind: 'files',
    perPair: 'keys',
    redacted: true,
    flag: { name: '--key <path>', help: 'PEM file of the private key; repeat it for a second pair' },
    setting: 'key',
  },
  pfx: {
    kind: 'file',
    redacted: true,
    flag: { name: '--pfx <path>', help: 'PKCS#12 file, instead of --cert and --key' },
    setting: 'pfx',
  },
  passphrase: {
    kind: 'passphrase',
    redacted: true,
    flag: {
      name: '--passphrase-file <path>',
      help: 'file with the passphrase of the key or the PKCS#12 file',
    },
    setting: 'passphrase_file',
  },
  ca: {
    kind: 'anchors',
    flag: {
      name: '--ca <path>',
      help: 'PEM file of trust anchors, or the word system or default for public roots; may be repeated',
    },
    setting: 'ca',
  },
  caDir: {
    kind: 'patterns',
    flag: { name: '--ca-dir <path>', help: 'directory or pattern of trust anchors; may be repeated' },
    setting: 'ca_dir',
  },
  crl: {
    kind: 'files',
    flag: { name: '--crl <path>', help: 'PEM file of revocation lists; may be repeated' },
    setting: 'crl',
  },
  peers: {
    kind: 'peers',
    flag: {
      name: '--peers <path>',
      help: 'JSON file of the only peers that may connect; needs --request-cert',
    },
    setting: 'peers_file',
  },
  dhparam: {
    kind: 'file',
    flag: { name: '--dhparam <path>', help: 'PEM file of Diffie-Hellman parameters' },
    setting: 'dhparam',
  },
  ocsp: {
    kind: 'file',
    flag: { name: '--ocsp <path>', help: 'DER file of an OCSP response for the leaf, to be stapled' },
    setting: 'ocsp',
  },
  hosts: {
    kind: 'hosts',
    flag: {
      name: '--hosts <glob>',
      help: 'directories or certificate files of SNI hosts, as written by certbot, lego, acme.sh and Caddy; may be repeated',
    },
    setting: 'hosts',
  },
  tickets: { kind: 'tickets', flag: null, setting: null },
}

/** Whether a flag or a setting names the file of the value, not the value itself: the option is then `{ file }`. */
export function isGivenAsFile(kind: MaterialKind): boolean {
  return kind === 'passphrase' || kind === 'peers'
}

/** The rows of the table with their names, in its order. */
export const MATERIAL_ROWS: readonly (MaterialOption & { readonly name: MaterialOptionName })[] =
  Object.entries(MATERIAL_OPTIONS).map(([name, row]) => ({ name: name as MaterialOptionName, ...row }))
