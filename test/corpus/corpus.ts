import type { ProblemCode, ReloadEngineOptions } from '../../src/main/index.js'
import type { HandshakeOptions } from '../../support/clients/tls-client.js'
import type { Leaf } from '../../support/material/certificates.js'
import type { Site } from './site.js'

/** Rows that share one engine: the options, the right files, and what is done to them. */
export interface Group {
  readonly title: string
  options(site: Site): ReloadEngineOptions
  /** Writes the right files, with another certificate each time; the one that is then served comes back. */
  right(site: Site): Leaf
  /** What a client needs to be let in; it also waits for an answer then. */
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
  /** The file that the first problem names, in the site's directory; `null` where it names none. */
  readonly at: string | null
  /** Spoils the right files; what comes back is called when the row is over. */
  spoil(site: Site, served: Leaf): Undo | Promise<Undo>
  /** What the first problem tells, where the words are the help. */
  readonly says?: RegExp
  /** The outcome, unless it is `rejected`. */
  readonly outcome?: 'waiting-for-pair'
  /** Whether `force` lets it past: what policy refuses, and never what cannot serve. */
  readonly forcible?: boolean
  /** It is judged against what is served, so that a first load takes it. */
  readonly onlyAgainstServed?: boolean
  /** The disk moves under the reads: looks again until the row comes true. */
  readonly unsteady?: boolean
}

// biome-ignore lint/suspicious/noConfusingVoidType: most rows have nothing to undo and say nothing
type Undo = void | (() => unknown)

export interface AcceptedRow extends CommonRow {
  /** Writes files that are served; the certificate that a client then sees comes back. */
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
