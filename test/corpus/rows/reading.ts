import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { truncateSync } from 'node:fs'
import { createServer } from 'node:net'
import { Worker } from 'node:worker_threads'

import type { Group } from '../corpus.js'
import { pairOptions, rightPair, type Site } from '../site.js'

/** The default of `worker.maxFileBytes`. */
const LIMIT = 1024 * 1024

/** Targets of a path that cannot be read as a file. */
export const reading: Group = {
  title: 'a path that is missing, or is not a file',
  options: pairOptions,
  right: rightPair,
  rows: [
    {
      id: 'the certificate is missing',
      spoil: (site) => site.remove('tls.crt'),
      refused: 'FILE_NOT_FOUND',
      at: 'tls.crt',
      example: 'FILE_NOT_FOUND',
    },
    {
      id: 'the key is missing',
      spoil: (site) => site.remove('tls.key'),
      refused: 'FILE_NOT_FOUND',
      at: 'tls.key',
    },
    {
      id: 'both are missing, and both are named',
      spoil(site) {
        site.remove('tls.crt')
        site.remove('tls.key')
      },
      refused: ['FILE_NOT_FOUND', 'FILE_NOT_FOUND'],
      at: 'tls.crt',
    },
    {
      id: 'a dangling link',
      spoil: (site) => site.link('tls.crt', 'nowhere.crt'),
      refused: 'FILE_NOT_FOUND',
      at: 'tls.crt',
    },
    {
      id: 'a link through a file that is not a directory',
      spoil: (site) => site.link('tls.key', 'tls.crt/tls.key'),
      refused: 'FILE_NOT_FOUND',
      at: 'tls.key',
    },
    {
      id: 'a link to itself',
      spoil: (site) => site.link('tls.crt', 'tls.crt'),
      refused: 'FILE_UNREADABLE',
      at: 'tls.crt',
    },
    {
      id: 'two links to each other',
      spoil(site) {
        site.link('tls.key', 'other.key')
        site.link('other.key', 'tls.key')
      },
      refused: 'FILE_UNREADABLE',
      at: 'tls.key',
    },
    {
      id: 'a FIFO without a writer in place of the certificate',
      spoil: (site) => makeFifo(site, 'tls.crt'),
      refused: 'FILE_NOT_REGULAR',
      at: 'tls.crt',
      example: 'FILE_NOT_REGULAR',
    },
    {
      id: 'a link to a FIFO in place of the key',
      spoil(site) {
        makeFifo(site, 'fifo')
        site.link('tls.key', 'fifo')
      },
      refused: 'FILE_NOT_REGULAR',
      at: 'tls.key',
    },
    {
      id: 'a socket',
      async spoil(site) {
        site.remove('tls.crt')
        const server = createServer().listen(site.path('tls.crt'))
        await once(server, 'listening')
        return () => server.close()
      },
      refused: 'FILE_NOT_REGULAR',
      at: 'tls.crt',
    },
    {
      id: 'a directory',
      spoil: (site) => site.makeDirectory('tls.crt'),
      refused: 'FILE_NOT_REGULAR',
      at: 'tls.crt',
    },
    {
      id: 'a link to a directory in place of the key',
      spoil: (site) => site.link('tls.key', '.'),
      refused: 'FILE_NOT_REGULAR',
      at: 'tls.key',
    },
    ...['/dev/zero', '/dev/null', '/dev/full'].map((device) => ({
      id: `a link to ${device}`,
      spoil: (site: Site) => site.link('tls.crt', device),
      refused: 'FILE_NOT_REGULAR' as const,
      at: 'tls.crt',
    })),
    {
      id: 'a certificate file of one byte over the limit',
      spoil: (site, served) => site.write('tls.crt', served.chainPem.padEnd(LIMIT + 1, '\n')),
      refused: 'FILE_TOO_LARGE',
      at: 'tls.crt',
      example: 'FILE_TOO_LARGE',
    },
    {
      id: 'a key file of a terabyte, mostly holes',
      spoil(site, served) {
        site.write('tls.key', served.keyPem)
        truncateSync(site.path('tls.key'), 2 ** 40)
      },
      refused: 'FILE_TOO_LARGE',
      at: 'tls.key',
    },
    {
      id: 'a certificate file that grows while it is read',
      spoil(site, served) {
        site.write('tls.crt', `${'a long comment\n'.repeat(50_000)}${served.certPem.slice(0, 300)}\n`)
        return grow(site.path('tls.crt'), LIMIT)
      },
      refused: 'FILES_CHANGING',
      at: 'tls.crt',
      unsteady: true,
      example: 'FILES_CHANGING',
    },
    {
      id: 'a certificate file of exactly the limit',
      accepted(site) {
        const leaf = rightPair(site)
        site.write('tls.crt', leaf.chainPem.padEnd(LIMIT, '\n'))
        return leaf
      },
    },
    {
      id: 'links to links to the files',
      accepted(site) {
        const leaf = site.leaf()
        site.write('real.crt', leaf.chainPem)
        site.write('real.key', leaf.keyPem)
        site.link('current.crt', 'real.crt')
        site.link('tls.crt', site.path('current.crt'))
        site.link('tls.key', 'real.key')
        return leaf
      },
    },
  ],
}

/** The files in a directory that can be removed as a whole. */
export const readingBelow: Group = {
  title: 'a path that is missing, or is not a directory',
  options: (site) => ({ ...pairOptions(site), cert: site.path('live/tls.crt') }),
  right(site) {
    const leaf = rightPair(site)
    site.makeDirectory('live')
    site.write('live/tls.crt', leaf.chainPem)
    return leaf
  },
  rows: [
    {
      id: 'the directory is missing',
      spoil: (site) => site.remove('live'),
      refused: 'FILE_NOT_FOUND',
      at: 'live/tls.crt',
    },
    {
      id: 'a file in place of the directory',
      spoil: (site, served) => site.write('live', served.chainPem),
      refused: 'FILE_NOT_FOUND',
      at: 'live/tls.crt',
    },
    {
      id: 'a link to itself in place of the directory',
      spoil: (site) => site.link('live', 'live'),
      refused: 'FILE_UNREADABLE',
      at: 'live/tls.crt',
    },
  ],
}

function makeFifo(site: Site, name: string): void {
  site.remove(name)
  execFileSync('mkfifo', [site.path(name)])
}

/** Another thread appends to the file without a pause, and starts again before it is too large. */
function grow(path: string, limit: number): () => Promise<unknown> {
  const worker = new Worker(
    `const { fstatSync, ftruncateSync, openSync, writeSync } = require('node:fs')
    const { workerData: { path, limit } } = require('node:worker_threads')
    const fd = openSync(path, 'a')
    const from = fstatSync(fd).size
    for (;;) {
      ftruncateSync(fd, from)
      for (let size = from; size < limit; size++) writeSync(fd, 'A')
    }`,
    { eval: true, workerData: { path, limit } },
  )
  return () => worker.terminate()
}
