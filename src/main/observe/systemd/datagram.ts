import { getSystemErrorMap } from 'node:util'

/** The used part of `node:ffi`, which the installed types of Node do not declare. */
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

/** Sends one datagram. @throws an error with the system's error code. */
export type SendDatagram = (text: string) => void

/**
 * Sends to a Unix datagram socket with `node:ffi`, because Node has no API for such sockets.
 *
 * @returns `null` if that is not possible: before Node 26.1, with `node:ffi` disabled or not permitted, or not on Linux.
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
/** A slow systemd must not block the event loop; a closed peer must not raise SIGPIPE. */
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
    // Before close(), which may overwrite errno.
    const error = sent < 0n ? failure('sendto') : null
    libc.close(fd)
    if (error) throw error
  }
}

/** `struct sockaddr_un`. An abstract name begins with NUL and extends to the end of the address. */
function addressOf(socketPath: string): Buffer {
  const family = Buffer.alloc(2)
  new Uint16Array(family.buffer, family.byteOffset, 1)[0] = AF_UNIX
  const name = socketPath.startsWith('@') ? `\0${socketPath.slice(1)}` : `${socketPath}\0`
  return Buffer.concat([family, Buffer.from(name)])
}
