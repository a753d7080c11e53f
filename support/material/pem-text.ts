import { pem } from './der.js'

/** The DER of the first block. */
export function derOf(text: string): Buffer {
  return Buffer.from(
    text.replace(/-----END [\s\S]*/, '').replace(/^[\s\S]*?-----BEGIN [^-]*-----/, ''),
    'base64',
  )
}

/** The blocks of a file, one string each. */
export function blocksOf(text: string): string[] {
  return text.split(/(?<=-----END [^-]*-----\n)/)
}

/** The same blocks with lines of another length. */
export function rewrapped(text: string, width: number): string {
  const body = (base64: string): string =>
    base64.replaceAll('\n', '').replaceAll(new RegExp(`.{${width}}(?=.)`, 'g'), '$&\n')
  return text.replaceAll(/(?<=-----BEGIN [^-]*-----\n)[^-]*(?=\n-----END)/g, body)
}

/** A valid block with some bytes of its DER replaced. */
export function patched(text: string, from: Uint8Array, to: Uint8Array): string {
  const der = derOf(text)
  const at = der.indexOf(from)
  if (at < 0 || from.length !== to.length)
    throw new RangeError('expected bytes that occur, and as many instead')
  der.set(to, at)
  return pem(/-----BEGIN ([^-]*)-----/.exec(text)?.[1] ?? '', der)
}

/** The first part of a text, cut in the middle of a block; a cut between two blocks would leave a valid file. */
export function cutAt(text: string, share: number): string {
  const head = text.slice(0, Math.floor(text.length * share))
  const whole = head.split('-----BEGIN ').length === head.split(/-----END [^-]*-----/).length
  return whole ? text.slice(0, head.length + 100) : head
}

/** Text in UTF-32, which Node cannot encode. */
export function utf32(text: string, order: 'utf32le' | 'utf32be'): Buffer {
  const bytes = Buffer.alloc(text.length * 4)
  for (let i = 0; i < text.length; i++) {
    if (order === 'utf32le') bytes.writeUInt32LE(text.charCodeAt(i), i * 4)
    else bytes.writeUInt32BE(text.charCodeAt(i), i * 4)
  }
  return bytes
}
