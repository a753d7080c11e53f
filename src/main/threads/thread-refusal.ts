import { readdirSync, readFileSync } from 'node:fs'

/** What a system that refuses a thread or a process needs, by the code that it gives. */
const REMEDIES: Readonly<Record<string, string>> = {
  EAGAIN:
    'the limit of processes and threads is reached: raise `ulimit -u`, `TasksMax=` of the systemd unit, or the `pids` limit of the container',
  EMFILE:
    'the process has too many open files: raise `ulimit -n`, or `LimitNOFILE=` of the systemd unit, and look for descriptors that are not closed',
  ENFILE: 'the system has too many open files: raise the sysctl `fs.file-max`',
  ENOMEM: 'there is not enough memory: raise the memory limit of the process or of the container',
}

const SYSTEM_CODE: RegExp = new RegExp(`\\b(${Object.keys(REMEDIES).join('|')})\\b`)

/**
 * Why the runtime or the system refuses to start a thread, and what to do; `null` when the error is about something else,
 * such as a file of the thread that is missing.
 */
export function threadRefusal(error: unknown): string | null {
  const { code, message, syscall } = Object(error) as { code?: unknown; message?: unknown; syscall?: unknown }
  if (syscall === 'uv_cwd') {
    return 'the working directory of the process has been removed, and Node starts no thread without one: change to one that exists, with process.chdir(), or restart the process there'
  }
  if (code === 'ERR_ACCESS_DENIED') {
    return "Node's permission model forbids worker threads (ERR_ACCESS_DENIED): start Node with --allow-worker; certswap reads and checks all files in a worker thread"
  }
  const refusal = systemRefusal(error)
  if (refusal !== null) return refusal
  // Node reports a package.json that it cannot open as an invalid one.
  if (code === 'ERR_INVALID_PACKAGE_CONFIG' && areFilesShort()) return `EMFILE: ${REMEDIES['EMFILE']}`
  return code === 'ERR_WORKER_INIT_FAILED' ? `Node could not set it up (${String(message)})` : null
}

/** What the system is short of, and what to do; `null` when the error is about something else. */
export function systemRefusal(error: unknown): string | null {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown }
  const [system] = SYSTEM_CODE.exec(String(code)) ?? SYSTEM_CODE.exec(String(message)) ?? []
  return system === undefined ? null : `${system}: ${REMEDIES[system]}`
}

/** More descriptors than a thread needs to start. */
const FILES_OF_A_THREAD = 16

/** Whether few descriptors are left, as far as `/proc` shows. */
function areFilesShort(): boolean {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return Number(limit) - readdirSync('/proc/self/fd').length < FILES_OF_A_THREAD
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EMFILE'
  }
}
