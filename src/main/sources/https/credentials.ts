import { createHash, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'

import { splitPem } from '../../../workers/formats/pem.js'
import { SourceError, type SourceErrorCode } from '../../api/source.js'
import type { CredentialFiles } from './options.js'
import { readSmallFile, whyUnreadable } from './read-file.js'
import { RequestAgent } from './request-agent.js'

const MAX_TOKEN_BYTES = 65_536
const MAX_PEM_BYTES = 1_048_576

/** How this client connects to the service, and what it shows there. */
export interface Credentials {
  readonly agent: RequestAgent
  /** The value of the header `Authorization`. */
  readonly authorization: string | null
}

export interface CredentialReader {
  /** The content of the files as they are now. @throws SourceError */
  current(): Promise<Credentials>
  close(): void
}

/** Reads the files for each request, and keeps connections for as long as the CAs and the client certificate stay the same. */
export function createCredentialReader(files: CredentialFiles): CredentialReader {
  let known: { readonly digest: string; readonly agent: RequestAgent } | null = null

  function agentFor(pem: PemFiles): RequestAgent {
    const digest = digestOf(pem)
    if (known?.digest === digest) return known.agent
    const agent = new RequestAgent(contextOf(pem, files))
    known?.agent.retire()
    known = { digest, agent }
    return agent
  }

  return {
    async current() {
      const [token, ca, cert, key] = await Promise.all([
        read('tokenFile', files.token, MAX_TOKEN_BYTES, 'SOURCE_DENIED'),
        read('caFile', files.ca, MAX_PEM_BYTES, 'SOURCE_UNREACHABLE'),
        read('certFile', files.cert, MAX_PEM_BYTES, 'SOURCE_DENIED'),
        read('keyFile', files.key, MAX_PEM_BYTES, 'SOURCE_DENIED'),
      ])
      try {
        const authorization = token && `Bearer ${tokenIn(token, files.token as string)}`
        return { agent: agentFor({ ca, cert, key }), authorization }
      } finally {
        token?.fill(0)
        key?.fill(0)
      }
    },
    close() {
      known?.agent.destroy()
      known = null
    },
  }
}

interface PemFiles {
  readonly ca: Buffer | null
  readonly cert: Buffer | null
  readonly key: Buffer | null
}

async function read(
  option: string,
  path: string | null,
  maxBytes: number,
  code: SourceErrorCode,
): Promise<Buffer | null> {
  if (path === null) return null
  try {
    return await readSmallFile(path, maxBytes)
  } catch (error) {
    throw new SourceError(code, `cannot read \`${option}\` ${path}: ${whyUnreadable(error)}`)
  }
}

/** One line end is removed, because editors and `echo` add it. */
function tokenIn(content: Buffer, path: string): string {
  const token = content.toString('latin1').replace(/\r?\n$/, '')
  const isEmpty = token.trim() === ''
  if (!isEmpty && /^[\x20-\x7e]+$/.test(token)) return token
  const reason = isEmpty ? 'is empty' : 'is not one line of printable ASCII'
  throw new SourceError(
    'SOURCE_DENIED',
    `the token in \`tokenFile\` ${path} ${reason}; write the token again`,
  )
}

function digestOf({ ca, cert, key }: PemFiles): string {
  const hash = createHash('sha256')
  for (const content of [ca, cert, key]) {
    hash.update(`${content?.length ?? -1} `)
    if (content) hash.update(content)
  }
  return hash.digest('base64')
}

function contextOf({ ca, cert, key }: PemFiles, files: CredentialFiles): SecureContext {
  const anchors = ca && anchorsIn(ca, files.ca as string)
  try {
    return createSecureContext({ ...(anchors && { ca: anchors }), ...(cert && key && { cert, key }) })
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    const where = `\`certFile\` ${files.cert} and \`keyFile\` ${files.key}`
    throw new SourceError('SOURCE_DENIED', `cannot use the client certificate of ${where}: ${code}`)
  }
}

/** Node ignores what it cannot parse, and a CA file without a certificate must not look like a working one. */
function anchorsIn(content: Buffer, path: string): string[] {
  try {
    const anchors = splitPem(content, path).map(({ pem }) => pem)
    for (const pem of anchors) new X509Certificate(pem)
    if (anchors.length > 0) return anchors
  } catch {
    // Refused below; the text of the error may quote the file.
  }
  throw new SourceError('SOURCE_UNREACHABLE', `\`caFile\` ${path} is not PEM with CA certificates`)
}
