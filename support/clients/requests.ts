import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'

export interface RequestResult {
  readonly status: number | undefined
  readonly body: string
  /** Client port of the connection; requests on one connection have the same port. */
  readonly localPort: number | undefined
  readonly reusedSocket: boolean
}

/** One HTTP/1.1 request to the loopback interface. */
export async function get(options: https.RequestOptions): Promise<RequestResult> {
  const request = https.get({ host: '127.0.0.1', servername: 'localhost', ...options })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const { localPort } = response.socket
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  return { status: response.statusCode, body, reusedSocket: request.reusedSocket, localPort }
}

/** Sends a word over an echoing connection or stream, and waits for all of it to return. */
export function echoed(stream: Duplex, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const settle = (): void => {
      stream.off('data', take).off('error', reject).off('close', lose)
    }
    const take = (chunk: Buffer): void => {
      answer += chunk.toString()
      if (answer.length < word.length) return
      settle()
      resolve(answer)
    }
    const lose = (): void => {
      settle()
      reject(new Error(`the stream was closed before it returned "${word}"`))
    }
    stream.on('data', take).on('error', reject).on('close', lose)
    stream.write(word)
  })
}
