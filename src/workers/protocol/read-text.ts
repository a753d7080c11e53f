export interface ReadTextTask {
  readonly path: string
}

export type ReadTextReply =
  | { readonly ok: true; readonly text: string; readonly mode: number }
  /** The code that the system gave. */
  | { readonly ok: false; readonly code: string }
