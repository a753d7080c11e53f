/** One endpoint. `routes.ts` lists them; the methods that a path allows are derived from the list. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** `:name` matches one segment. */
  readonly path: string
  /** Accepted query parameters: a flag is 1 or 0, a number an integer from 1, a name a server name. Others are refused. */
  readonly query: Readonly<Record<string, 'flag' | 'number' | 'name'>>
  /** Whether the request has a JSON body; with `false`, a body is refused. */
  readonly takesBody: boolean | 'optional'
  /** Statuses in addition to those of every route. */
  readonly statuses: readonly number[]
  handle(request: RouteRequest): Answer | Promise<Answer>
}

/** A request, checked against the declarations of its route. */
export interface RouteRequest {
  /** The flags that are set. */
  readonly flags: ReadonlySet<string>
  readonly numbers: ReadonlyMap<string, number>
  readonly names: ReadonlyMap<string, string>
  /** The value of a `:name` in the path. */
  param(name: string): string | undefined
  /** The parsed body; `undefined` if there is none. */
  readonly body: unknown
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal
  header(name: string): string | undefined
  /** Removes the time limit for the response to this request. */
  removeTimeLimit(): void
}

/** The response of a route; sent as JSON, or as `text` if the client prefers `text/plain`. */
export interface Answer {
  readonly status: number
  /** `null` for a response without a body. */
  readonly json: object | null
  /** One line. */
  readonly text: string
  /** @defaultValue `'application/json'` */
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent unchanged, with `type`, instead of `json` and `text`. */
  readonly verbatim?: string
}
