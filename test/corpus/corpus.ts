import type { ProblemCode, ReloadEngineOptions } from '../../src/main/index.js'
import type { HandshakeOptions } from '../../support/clients/tls-client.js'
import type { Leaf } from '../../support/material/certificates.js'
import type { Site } from './site.js'

/** Rows that share one engine: the options, the valid files, and the changes to them. */
export interface Group {
  readonly title: string
  options(site: Site): ReloadEngineOptions
  /** Writes the valid files, with a new certificate each time; returns the certificate that is then served. */
  right(site: Site): Leaf
  /** Options that a client needs to be admitted; it then also waits for an answer. */
  client?(site: Site): Partial<HandshakeOptions>
  readonly rows: readonly Row[]
}

export type Row = RefusedRow | AcceptedRow

interface CommonRow {
  /** A promise in plain words: what the files are. */
  readonly id: string
  /** The code whose example in `docs/errors.md` is the message of this row. */
  readonly example?: ProblemCode
  /** Its first message is in the list below the table of `docs/errors.md`. */
  readonly listed?: boolean
}

export interface RefusedRow extends CommonRow {
  /** The codes of the problems, in order. */
  readonly refused: ProblemCode | readonly ProblemCode[]
  /** The file that the first problem names, in the site's directory; `null` if it names none. */
  readonly at: string | null
  /** Breaks the valid files; the returned function is called at the end of the row. */
  spoil(site: Site, served: Leaf): Undo | Promise<Undo>
  /** The expected message of the first problem, if its words matter. */
  readonly message?: RegExp
  /** The outcome, unless it is `rejected`. */
  readonly outcome?: 'waiting-for-pair'
  /** Whether `force` accepts it: it accepts violations of the policy, and never material that cannot serve. */
  readonly forcible?: boolean
  /** It is judged by comparison with the served certificate, so a first load accepts it. */
  readonly onlyAgainstServed?: boolean
  /** The files change during the reads: repeats the pass until the expectation holds. */
  readonly unsteady?: boolean
}

// biome-ignore lint/suspicious/noConfusingVoidType: most rows have nothing to undo and say nothing
type Undo = void | (() => unknown)

export interface AcceptedRow extends CommonRow {
  /** Writes files that are served; returns the certificate that a client then gets. */
  accepted(site: Site, served: Leaf): Leaf
  /** The codes of the warnings, in order. */
  readonly warns?: readonly ProblemCode[]
  /** The file that the first warning names. */
  readonly at?: string | null
}

export function isRefused(row: Row): row is RefusedRow {
  return 'refused' in row
}

/** The codes that a row shows. */
export function codesOf(row: Row): readonly ProblemCode[] {
  return isRefused(row) ? [row.refused].flat() : (row.warns ?? [])
}
