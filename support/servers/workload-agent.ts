import { EventEmitter, once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import grpc from '@grpc/grpc-js'

import { tempDir } from '../files/temp-dir.js'
import type { Authority, Leaf } from '../material/certificates.js'
import { derOf } from '../material/pem-text.js'

/** One identity of a message; the fields of the Workload API with their numbers in the protocol. */
export interface AgentSvid {
  readonly spiffeId?: string
  readonly chain?: Uint8Array
  readonly key?: Uint8Array
  readonly bundle?: Uint8Array
  readonly hint?: string
}

/** A message of the agent. */
export interface AgentMessage {
  readonly svids?: readonly AgentSvid[]
  readonly crl?: readonly Uint8Array[]
  readonly federated?: Readonly<Record<string, Uint8Array>>
}

/** A SPIFFE agent in this process, written from the published protocol. */
export interface WorkloadAgent {
  /** `unix:///...` */
  readonly socket: string
  /** Streams that are open now. */
  readonly open: number
  /** Streams that were opened so far. */
  readonly opened: number
  /** Metadata of the last request, as names and values. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** Sends a message to every open stream, and to each later one at its start. `null` sends nothing at the start. */
  send(message: AgentMessage | Uint8Array | null): void
  /** Ends every open stream with a status, and each later one at its start; `null` accepts streams again. */
  refuse(code: grpc.status | null): void
  /** The next stream that opens. */
  nextStream(): Promise<void>
  /** The process of the agent ends: connections break. */
  stop(): void
  /** Listens at the same socket again. */
  start(): Promise<void>
}

const DEFINITION: grpc.ServiceDefinition = {
  FetchX509SVID: {
    path: '/SpiffeWorkloadAPI/FetchX509SVID',
    requestStream: false,
    responseStream: true,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
}

type Stream = grpc.ServerWritableStream<Buffer, Buffer>

export async function startAgent(
  t: TestContext,
  first: AgentMessage | Uint8Array | null,
): Promise<WorkloadAgent> {
  const path = join(tempDir(t), 'agent.sock')
  const streams = new Set<Stream>()
  const events = new EventEmitter()
  let current = first
  let refused: grpc.status | null = null
  let opened = 0
  let metadata: Record<string, unknown> = {}
  let server: grpc.Server | null = null

  const begin = (stream: Stream) => {
    opened++
    metadata = stream.metadata.getMap()
    streams.add(stream)
    stream.on('cancelled', () => streams.delete(stream)).on('close', () => streams.delete(stream))
    if (refused !== null) end(stream, refused)
    else if (current !== null) stream.write(bytesOf(current))
    events.emit('stream')
  }
  const agent: WorkloadAgent = {
    socket: `unix://${path}`,
    get open() {
      return streams.size
    },
    get opened() {
      return opened
    },
    get metadata() {
      return metadata
    },
    send(message) {
      current = message
      if (message) for (const stream of streams) stream.write(bytesOf(message))
    },
    refuse(code) {
      refused = code
      if (code !== null) for (const stream of streams) end(stream, code)
    },
    async nextStream() {
      await once(events, 'stream')
    },
    stop() {
      server?.forceShutdown()
      server = null
      streams.clear()
    },
    async start() {
      const next = new grpc.Server()
      next.addService(DEFINITION, { FetchX509SVID: begin })
      await new Promise<void>((resolve, reject) => {
        next.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), (error) =>
          error ? reject(error) : resolve(),
        )
      })
      server = next
    },
  }
  await agent.start()
  t.after(() => agent.stop())
  return agent
}

function end(stream: Stream, code: grpc.status): void {
  stream.emit('error', { code, details: 'refused by the test' })
}

/** The identity of a leaf, as an agent delivers it. */
export function svidOf(leaf: Leaf, id: string, authorities: readonly Authority[]): AgentSvid {
  return {
    spiffeId: id,
    chain: ders(leaf.chainPem),
    key: leaf.privateKey.export({ type: 'pkcs8', format: 'der' }),
    bundle: bundleOf(authorities),
  }
}

/** A trust bundle: concatenated DER. */
export function bundleOf(authorities: readonly Authority[]): Buffer {
  return Buffer.concat(authorities.map(({ certDer }) => certDer))
}

function ders(pem: string): Buffer {
  const blocks = pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? []
  return Buffer.concat(blocks.map(derOf))
}

function bytesOf(message: AgentMessage | Uint8Array): Buffer {
  return Buffer.from(message instanceof Uint8Array ? message : encodeMessage(message))
}

export function encodeMessage({ svids = [], crl = [], federated = {} }: AgentMessage): Buffer {
  return Buffer.concat([
    ...svids.map(({ spiffeId, chain, key, bundle, hint }) =>
      field(
        1,
        Buffer.concat([
          ...(spiffeId === undefined ? [] : [field(1, Buffer.from(spiffeId))]),
          ...(chain === undefined ? [] : [field(2, chain)]),
          ...(key === undefined ? [] : [field(3, key)]),
          ...(bundle === undefined ? [] : [field(4, bundle)]),
          ...(hint === undefined ? [] : [field(5, Buffer.from(hint))]),
        ]),
      ),
    ),
    ...crl.map((list) => field(2, list)),
    ...Object.entries(federated).map(([id, bundle]) =>
      field(3, Buffer.concat([field(1, Buffer.from(id)), field(2, bundle)])),
    ),
  ])
}

/** A length-delimited field of Protocol Buffers. */
export function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content])
}

export function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80)
  return Buffer.from([...bytes, rest])
}
