/**
 * A client of the package `redis` (`createClient()`) or `ioredis` (`new Redis()`), versions 5 and 6, for a single server or,
 * with `ioredis`, Sentinel. Clients of a cluster are refused. Only its options are used: certswap opens connections of its own
 * (`duplicate()`), so it need not be connected, and it stays usable and yours to close.
 */
export interface RedisClient {
  duplicate(...overrides: never[]): unknown
}

/** The part of a `redis` client that is used. */
export interface NodeRedis {
  readonly options?: { readonly socket?: object }
  duplicate(overrides: object): NodeRedis
  connect(): Promise<unknown>
  sendCommand(args: readonly Argument[], options: object): Promise<unknown>
  destroy(): void
  on(event: 'error' | 'end', listener: (error: unknown) => void): unknown
}

/** The part of an `ioredis` client that is used. */
export interface IoRedis {
  duplicate(overrides: object): IoRedis
  connect(): Promise<unknown>
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>
  disconnect(): void
  on(event: 'error' | 'end', listener: (error: unknown) => void): unknown
}

/** An argument of a command. */
export type Argument = string | Buffer

/** One connection that is never re-established. */
export interface RawConnection {
  connect(): Promise<unknown>
  /** Strings of the reply are buffers, and maps are flat arrays. */
  send(args: readonly Argument[]): Promise<unknown>
  destroy(): void
  on(event: 'error' | 'end', listener: (error: unknown) => void): unknown
}

/** What is wrong with a value that should be a {@link RedisClient}; `null` if it is one. */
export function clientFlaw(value: unknown): string | null {
  if (isCluster(value)) return 'expected the client of a single server, not of a cluster'
  return isNodeRedis(value) || isIoRedis(value)
    ? null
    : 'expected a client of the package `redis` or `ioredis`, version 5 or later'
}

/** A new connection with the options of the client. Commands of a broken connection fail: none is queued or repeated. */
export function rawConnection(client: RedisClient): RawConnection {
  return isIoRedis(client) ? ofIoRedis(client) : ofNodeRedis(client as unknown as NodeRedis)
}

function ofNodeRedis(client: NodeRedis): RawConnection {
  const own = client.duplicate({
    // A connection that waits for changes is silent for seconds.
    socket: { ...client.options?.socket, reconnectStrategy: false, socketTimeout: undefined },
    disableOfflineQueue: true,
    commandOptions: {},
  })
  return {
    connect: () => own.connect(),
    send: (args) => own.sendCommand(args, BINARY),
    destroy: () => own.destroy(),
    on: (event, listener) => own.on(event, listener),
  }
}

/** Bulk, verbatim and simple strings as buffers, and maps as arrays, by the first byte of their encoding. */
const BINARY = { typeMapping: { 36: Buffer, 61: Buffer, 43: Buffer, 37: Array } }

function ofIoRedis(client: IoRedis): RawConnection {
  const own = client.duplicate({
    lazyConnect: true,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
    reconnectOnError: null,
    enableOfflineQueue: false,
    // A server that loads its data answers commands with LOADING, which is an answer.
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableAutoPipelining: false,
    replyMapping: 'legacy',
    // A connection that waits for changes is silent for seconds.
    commandTimeout: undefined,
    socketTimeout: undefined,
  })
  return {
    connect: () => own.connect(),
    send: ([command, ...args]) => own.callBuffer(command as string, ...args),
    destroy: () => own.disconnect(),
    on: (event, listener) => own.on(event, listener),
  }
}

function isNodeRedis(value: unknown): boolean {
  const client = Object(value) as Partial<NodeRedis>
  return typeof client.sendCommand === 'function' && typeof client.duplicate === 'function'
}

function isIoRedis(value: unknown): value is IoRedis {
  const client = Object(value) as Partial<IoRedis>
  return typeof client.callBuffer === 'function' && typeof client.duplicate === 'function'
}

function isCluster(value: unknown): boolean {
  const client = Object(value) as { isCluster?: unknown; slots?: unknown }
  return client.isCluster === true || client.slots !== undefined
}
