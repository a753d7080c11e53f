import type { Client, ClientReadableStream, ServiceError } from '@grpc/grpc-js'

import { SourceError } from '../../api/source.js'
import type { ResolvedSpiffeOptions } from './options.js'

/** One call of `FetchX509SVID`, a stream that the agent ends only when it stops. */
export interface AgentCall {
  /** Ends the call and its connection. `ended` is not called after it. */
  cancel(): void
}

/** What an {@link AgentCall} reports. */
export interface AgentListener {
  /** A message. The receiver owns the bytes, which contain keys. */
  message(bytes: Uint8Array): void
  /** The stream has ended. `retry` is false if another attempt would end in the same way. */
  ended(error: SourceError, retry: boolean): void
}

/** Makes the call. */
export type CallAgent = (listener: AgentListener) => AgentCall

const METHOD = '/SpiffeWorkloadAPI/FetchX509SVID'

/** @throws SourceError `SOURCE_UNREACHABLE` if `@grpc/grpc-js` is not installed. */
export async function agentCalls({ endpoint, maxMessageBytes }: ResolvedSpiffeOptions): Promise<CallAgent> {
  const { Client: GrpcClient, credentials, Metadata, status } = await loadGrpc()
  /** What a status says about the identity; all others say only that there is no answer. */
  const MEANINGS: Readonly<Record<number, [code: SourceError['code'], message: string, retry: boolean]>> = {
    [status.PERMISSION_DENIED]: [
      'SOURCE_DENIED',
      'has no identity for this process (PERMISSION_DENIED); create a registration entry whose selectors match it',
      true,
    ],
    [status.INVALID_ARGUMENT]: [
      'SOURCE_INVALID',
      'refuses the request as malformed (INVALID_ARGUMENT)',
      false,
    ],
    [status.UNIMPLEMENTED]: [
      'SOURCE_INVALID',
      'does not implement the X.509 part of the Workload API (UNIMPLEMENTED)',
      false,
    ],
    [status.RESOURCE_EXHAUSTED]: [
      'SOURCE_INVALID',
      'sent a message larger than `maxMessageBytes`, or refuses more streams (RESOURCE_EXHAUSTED)',
      true,
    ],
  }
  return (listener) => {
    // A client for each call: a shared one would delay the next connection by its own backoff.
    const client: Client = new GrpcClient(endpoint.target, credentials.createInsecure(), {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.enable_retries': 0,
      // Variables such as `https_proxy` must not redirect the request.
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
      // Finds an agent that hangs. Servers in Go disconnect clients that ping more often than every five minutes.
      'grpc.keepalive_time_ms': 360_000,
      'grpc.keepalive_timeout_ms': 20_000,
    })
    const metadata = new Metadata()
    metadata.set('workload.spiffe.io', 'true')
    const stream: ClientReadableStream<Uint8Array> = client.makeServerStreamRequest(
      METHOD,
      () => Buffer.alloc(0),
      (bytes: Buffer): Uint8Array => bytes,
      {},
      metadata,
    )
    let isOver = false
    const end = (code: number | undefined) => {
      if (isOver) return
      isOver = true
      client.close()
      const name = status[code ?? status.UNKNOWN] ?? 'UNKNOWN'
      const otherwise = [
        'SOURCE_UNREACHABLE',
        `ended the stream or cannot be reached (${name})`,
        true,
      ] as const
      const [kind, message, retry] = MEANINGS[code ?? status.UNKNOWN] ?? otherwise
      listener.ended(new SourceError(kind, `the agent at ${endpoint.text} ${message}`), retry)
    }
    stream
      .on('data', (bytes: Uint8Array) => (isOver ? bytes.fill(0) : listener.message(bytes)))
      .on('error', ({ code }: ServiceError) => end(code))
      .on('end', () => end(status.UNAVAILABLE))
    return {
      cancel() {
        if (isOver) return
        isOver = true
        stream.cancel()
        client.close()
      },
    }
  }
}

async function loadGrpc(): Promise<typeof import('@grpc/grpc-js')> {
  try {
    return await import('@grpc/grpc-js')
  } catch (cause) {
    const message = 'the package @grpc/grpc-js cannot be loaded; install it with `npm install @grpc/grpc-js`'
    throw new SourceError('SOURCE_UNREACHABLE', message, { cause })
  }
}
