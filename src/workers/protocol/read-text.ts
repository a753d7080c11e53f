export interface ReadTextTask {
  readonly path: string
}

export type ReadTextReply =
  | { readonly ok: true; readonly text: string; readonly mode: number }
  /** The system's error code. */
  | { readonly ok: false; readonly code: string }
