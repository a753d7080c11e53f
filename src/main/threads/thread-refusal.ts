import { readdirSync, readFileSync } from 'node:fs'

/** The cause and remedy when the system refuses a thread or a process, by error code. */
const REMEDIES: Readonly<Record<string, string>> = {
  EAGAIN:
    'the limit of processes and threads is reached: raise `ulimit -u`, `TasksMax=` of the systemd unit, or the `pids` limit of the container',
  EMFILE:
    'the process has too many open files: raise `ulimit -n`, or `LimitNOFILE=` of the systemd unit, and check for leaked descriptors',
  ENFILE: 'the system has too many open files: raise the sysctl `fs.file-max`',
  ENOMEM: 'there is not enough memory: raise the memory limit of the process or of the container',
}

const SYSTEM_CODE: RegExp = new RegExp(`\\b(${Object.keys(REMEDIES).join('|')})\\b`)

/**
 * Why the runtime or the system refuses to start a thread, and the remedy; `null` for other errors, such as a missing file of
 * the thread.
 */
export function threadRefusal(error: unknown): string | null {
  const { code, message, syscall } = Object(error) as { code?: unknown; message?: unknown; syscall?: unknown }
  if (syscall === 'uv_cwd') {
    return 'the working directory of the process has been removed, and Node cannot start a thread without one: call process.chdir() with an existing directory, or restart the process in one'
  }
  if (code === 'ERR_ACCESS_DENIED') {
    return "Node's permission model forbids worker threads (ERR_ACCESS_DENIED): start Node with --allow-worker; certswap reads and checks all files in a worker thread"
  }
  const refusal = systemRefusal(error)
  if (refusal !== null) return refusal
  // Node reports a package.json that it cannot open as invalid.
  if (code === 'ERR_INVALID_PACKAGE_CONFIG' && areFilesShort()) return `EMFILE: ${REMEDIES['EMFILE']}`
  return code === 'ERR_WORKER_INIT_FAILED' ? `Node could not set it up (${String(message)})` : null
}

/** The resource that the system lacks, and the remedy; `null` for other errors. */
export function systemRefusal(error: unknown): string | null {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown }
  const [system] = SYSTEM_CODE.exec(String(code)) ?? SYSTEM_CODE.exec(String(message)) ?? []
  return system === undefined ? null : `${system}: ${REMEDIES[system]}`
}

/** An upper bound of the descriptors that a thread needs to start. */
const FILES_OF_A_THREAD = 16

/** Whether few descriptors are left, according to `/proc`. */
function areFilesShort(): boolean {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return Number(limit) - readdirSync('/proc/self/fd').length < FILES_OF_A_THREAD
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EMFILE'
  }
}
