/** One endpoint. The table of them is in `routes.ts`; which methods a path allows follows from it. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** `:name` stands for one part. */
  readonly path: string
  /** Query parameters that it takes, any other is refused: a flag is 1 or 0, a number a whole one from 1, a name a server name. */
  readonly query: Readonly<Record<string, 'flag' | 'number' | 'name'>>
  /** Whether the request has a JSON body, or may have one; a route without one refuses a body. */
  readonly takesBody: boolean | 'optional'
  /** Statuses of its own, beside those that every route can have. */
  readonly statuses: readonly number[]
  handle(request: RouteRequest): Answer | Promise<Answer>
}

/** A request as a route sees it: checked against what the route declares. */
export interface RouteRequest {
  /** The flags that are set. */
  readonly flags: ReadonlySet<string>
  readonly numbers: ReadonlyMap<string, number>
  readonly names: ReadonlyMap<string, string>
  /** What stands in the place of a `:name` of the path. */
  param(name: string): string | undefined
  /** The parsed body; `undefined` where there is none. */
  readonly body: unknown
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
  header(name: string): string | undefined
  /** Lets this request wait for its answer for however long it takes. */
  waitOn(): void
}

/** What a route answers; it is sent as JSON, or as the text to those who ask for `text/plain`. */
export interface Answer {
  readonly status: number
  /** `null` for an answer without a body. */
  readonly json: object | null
  /** One line. */
  readonly text: string
  /** @defaultValue `'application/json'` */
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as it is, with `type`, in place of `json` and `text`. */
  readonly verbatim?: string
}
