import { getSystemErrorMap } from 'node:util'

/** What of `node:ffi` is used here; Node's own types of this line do not have it. */
interface Ffi {
  dlopen(
    library: null,
    functions: Readonly<Record<string, { readonly arguments: readonly string[]; readonly return: string }>>,
  ): { readonly functions: LibC }
  getInt32(pointer: bigint): number
}

interface LibC {
  socket(domain: number, type: number, protocol: number): number
  sendto(
    fd: number,
    message: Buffer,
    length: bigint,
    flags: number,
    address: Buffer,
    addressLength: number,
  ): bigint
  close(fd: number): number
  __errno_location(): bigint
}

/** Sends one datagram. @throws with the system's error code. */
export type SendDatagram = (text: string) => void

/**
 * Sends to a Unix datagram socket by way of `node:ffi`: Node has no such sockets of its own.
 *
 * @returns `null` where this Node cannot: before 26.1, switched off, not permitted, or not on Linux.
 */
export function openDatagrams(socketPath: string): SendDatagram | null {
  if (process.platform !== 'linux') return null
  try {
    const ffi = process.getBuiltinModule('node:ffi') as Ffi | undefined
    return ffi ? datagramsBy(ffi, addressOf(socketPath)) : null
  } catch {
    return null
  }
}

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
/** systemd that is slow to read must not hold the event loop; a peer that has gone must not raise SIGPIPE. */
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000

function datagramsBy(ffi: Ffi, address: Buffer): SendDatagram {
  const { functions: libc } = ffi.dlopen(null, {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    sendto: { arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'uint32'], return: 'int64' },
    close: { arguments: ['int32'], return: 'int32' },
    __errno_location: { arguments: [], return: 'pointer' },
  })
  const failure = (what: string) => {
    const errno = ffi.getInt32(libc.__errno_location())
    const [code = String(errno), reason = ''] = getSystemErrorMap().get(-errno) ?? []
    return Object.assign(new Error(`${what}: ${code} ${reason}`), { code })
  }
  return (text) => {
    const message = Buffer.from(text)
    const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    if (fd < 0) throw failure('socket')
    const length = BigInt(message.length)
    const sent = libc.sendto(fd, message, length, MSG_DONTWAIT_NOSIGNAL, address, address.length)
    // Before close(), which has an error number of its own.
    const error = sent < 0n ? failure('sendto') : null
    libc.close(fd)
    if (error) throw error
  }
}

/** `struct sockaddr_un`; an abstract name begins with NUL and ends where the address does. */
function addressOf(socketPath: string): Buffer {
  const family = Buffer.alloc(2)
  new Uint16Array(family.buffer, family.byteOffset, 1)[0] = AF_UNIX
  const name = socketPath.startsWith('@') ? `\0${socketPath.slice(1)}` : `${socketPath}\0`
  return Buffer.concat([family, Buffer.from(name)])
}
