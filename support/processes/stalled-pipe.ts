import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { tempDir } from '../files/temp-dir.js'

export interface StalledPipe {
  /** For a child process, whose writes to it block, as on a shell's pipe. */
  readonly fd: number
  /** Reads its content. */
  read(): string
  /** Ends the reader; later writes fail with EPIPE. */
  endReader(): void
}

/** A full pipe that only the test reads. */
export function stalledPipe(t: TestContext): StalledPipe {
  const path = join(tempDir(t), 'log')
  spawnSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  const fd = openSync(path, constants.O_WRONLY)
  for (const size of [4096, 1]) untilAgain(() => writeSync(filler, Buffer.alloc(size, '\n')))
  closeSync(filler)
  let isOpen = true
  const endReader = () => {
    if (isOpen) closeSync(reader)
    isOpen = false
  }
  t.after(() => {
    endReader()
    closeSync(fd)
  })
  return {
    fd,
    read() {
      const chunks: Buffer[] = []
      untilAgain(() => {
        const chunk = Buffer.alloc(65_536)
        const length = readSync(reader, chunk)
        chunks.push(chunk.subarray(0, length))
        return length
      })
      return Buffer.concat(chunks).toString()
    },
    endReader,
  }
}

/** Repeats `act` until it would block or has nothing more to do. */
function untilAgain(act: () => number): void {
  try {
    while (act() > 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
  }
}
