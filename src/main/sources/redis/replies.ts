import { SourceError } from '../../api/source.js'

/** The fields of a hash. Empty if the key does not exist. */
export type Fields = ReadonlyMap<string, Buffer>

/** A hash with more fields is not one of ours. */
const MAX_FIELDS = 64

/** @throws SourceError `SOURCE_INVALID` */
export function fieldsOf(reply: unknown, key: string): Fields {
  const flat = bufferList(reply)
  if (flat.length / 2 > MAX_FIELDS) {
    throw new SourceError(
      'SOURCE_INVALID',
      `the hash ${key} has more than ${MAX_FIELDS} fields; remove the others`,
    )
  }
  return fieldMap(flat)
}

function fieldMap(flat: readonly Buffer[]): Fields {
  const fields = new Map<string, Buffer>()
  for (let at = 0; at + 1 < flat.length; at += 2) {
    fields.set((flat[at] as Buffer).toString(), flat[at + 1] as Buffer)
  }
  return fields
}

/** An entry of the stream of changes. */
export interface Entry {
  readonly id: string
  readonly fields: Fields
}

/** The entries of a reply to `XREVRANGE`. One with more fields is not ours, and has none here, so that those after it are seen. */
export function entriesOf(reply: unknown): Entry[] {
  return (Array.isArray(reply) ? reply : []).map((entry: unknown) => {
    const [id, fields] = Array.isArray(entry) ? entry : []
    if (!Buffer.isBuffer(id)) throw unexpected()
    const flat = bufferList(fields)
    return { id: id.toString(), fields: fieldMap(flat.length / 2 > MAX_FIELDS ? [] : flat) }
  })
}

/** The entries of a reply to `XREAD` of one stream: `[[key, entries]]`, or `[key, entries]` in protocol 3; none in time: null. */
export function readEntriesOf(reply: unknown): Entry[] {
  if (!Array.isArray(reply)) return []
  const [first] = reply
  return entriesOf(Array.isArray(first) ? first[1] : reply[1])
}

/** A reply of buffers. @throws SourceError `SOURCE_INVALID` */
function bufferList(reply: unknown): Buffer[] {
  if (!Array.isArray(reply) || !reply.every((one) => Buffer.isBuffer(one))) throw unexpected()
  return reply
}

function unexpected(): SourceError {
  return new SourceError(
    'SOURCE_INVALID',
    'Redis sent a reply of an unexpected type; use a tested version of the client',
  )
}
