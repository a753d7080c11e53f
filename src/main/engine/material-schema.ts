import { z } from 'zod'

import { sharedBytes } from '../../workers/base/shared-json.js'
import { MAX_RULES, peerRuleIn } from '../../workers/formats/peer-rules.js'
import { packRules } from '../../workers/judge/peer-rules.js'
import { isPublicRoots, type MaterialSources } from '../../workers/protocol/material.js'
import {
  MATERIAL_ROWS,
  type MaterialKind,
  type MaterialKinds,
  type MaterialOptionName,
} from '../base/material-options.js'

/** The path of a file. */
export const path: z.ZodType<string, string> = z
  .string()
  .min(1)
  // `node:https` accepts PEM content here. As a path that does not exist, it would be logged, including a private key.
  .refine((one) => !one.includes('-----BEGIN '), 'expected the path of a file, not its content')

const paths = z.union([path.transform((one) => [one]), z.array(path).min(1)], {
  error: 'expected a path or an array of paths',
})

/** A rule about peers, converted to its normal form. */
const peerRule = z.unknown().transform((given, { issues }) => {
  const read = peerRuleIn(given)
  if ('rule' in read) return read.rule
  issues.push({ code: 'custom', input: given, message: read.expected })
  return z.NEVER
})

/** Validation and conversion by kind, except `hosts` and `tickets`, which hold more than paths. */
const FIELDS = {
  file: path.optional(),
  files: paths.optional(),
  anchors: paths.optional(),
  patterns: paths.optional(),
  passphrase: z
    .union([z.string().min(1), z.strictObject({ file: path })], { error: 'expected a string or { file }' })
    .optional(),
  peers: z
    .strictObject({ allow: z.array(peerRule).min(1).max(MAX_RULES).optional(), file: path.optional() })
    .refine(({ allow, file }) => (allow === undefined) !== (file === undefined), {
      error: 'expected either `allow` or `file`',
    })
    .transform(({ allow, file }) => (allow ? { allow } : { file: file as string }))
    .optional(),
}

interface Checked {
  readonly file: string | undefined
  readonly files: string[] | undefined
  readonly anchors: string[] | undefined
  readonly patterns: string[] | undefined
  readonly passphrase: string | { readonly file: string } | undefined
  readonly peers: { readonly allow: string[] } | { readonly file: string } | undefined
}

/** The validated values of the options that hold only paths. */
export type CheckedMaterial = {
  readonly [Name in MaterialOptionName as MaterialKinds[Name] extends keyof Checked
    ? Name
    : never]: Checked[MaterialKinds[Name] & keyof Checked]
}

/** The part of the option schema for {@link CheckedMaterial}. */
export const materialShape: { [Name in keyof CheckedMaterial]: z.ZodType<CheckedMaterial[Name]> } =
  Object.fromEntries(
    MATERIAL_ROWS.flatMap(({ name, kind }) => (isField(kind) ? [[name, FIELDS[kind]]] : [])),
  ) as unknown as { [Name in keyof CheckedMaterial]: z.ZodType<CheckedMaterial[Name]> }

function isField(kind: MaterialKind): kind is keyof typeof FIELDS {
  return Object.hasOwn(FIELDS, kind)
}

/** Refuses options without a complete certificate and key, and pairs of unequal number. */
export function checkPairs(
  value: CheckedMaterial & { readonly source?: unknown },
  refuse: (name: string, message: string) => void,
): void {
  const { cert, key, pfx, ocsp, source } = value
  if (source !== undefined) {
    for (const name of DELIVERED)
      if (value[name] !== undefined) refuse(name, 'expected either `source` or files')
    return
  }
  if (pfx !== undefined && (cert || key)) refuse('pfx', 'expected either `pfx`, or `cert` and `key`')
  if (pfx === undefined && !cert) refuse('cert', 'expected a path (or `pfx`)')
  if (pfx === undefined && !key) refuse('key', 'expected a path (or `pfx`)')
  if (ocsp !== undefined && cert && cert.length > 1) refuse('ocsp', SEVERAL_PAIRS)
  for (const { name, perPair } of MATERIAL_ROWS) {
    const files = perPair === undefined ? undefined : value[name as 'key']
    if (!cert || !files || files.length === cert.length) continue
    refuse(name, `expected as many ${perPair} as certificates (${cert.length}), got ${files.length}`)
  }
}

/** Options that a source replaces. */
const DELIVERED = ['cert', 'key', 'pfx', 'passphrase', 'ocsp'] as const

/** Node's event `OCSPRequest` gives the pair that was loaded last, not the one that the client receives. */
const SEVERAL_PAIRS =
  'expected one pair beside it: with several, Node does not say which certificate a client is shown'

function packed(rules: readonly string[]): Uint8Array {
  return sharedBytes(Buffer.from(packRules(rules)))
}

/** The material sources for the worker threads. */
export function sourcesOf(
  { cert = [], key = [], pfx, passphrase, ca = [], caDir, crl, peers, dhparam, ocsp }: CheckedMaterial,
  ticketSecret: string | undefined,
  source: string | null,
): MaterialSources {
  return {
    pairs: cert.map((one, i) => ({ cert: one, key: key[i] as string })),
    pfx: pfx ?? null,
    passphrase: typeof passphrase === 'string' ? { value: passphrase } : (passphrase ?? null),
    ca: ca.filter((one) => !isPublicRoots(one)),
    publicRoots: [...new Set(ca.filter(isPublicRoots))],
    caDir: caDir ?? [],
    crl: crl ?? [],
    peerRules: peers === undefined ? null : 'file' in peers ? peers : { packed: packed(peers.allow) },
    dhparam: dhparam ?? null,
    ocsp: ocsp ?? null,
    ticketSecret: ticketSecret ?? null,
    source,
  }
}
