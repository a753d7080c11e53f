/*
 * Whatever happens to a worker thread, the process lives, the caller gets a `ReloadError` with a stable code and without
 * secrets, and the next task finds a thread that works.
 */

import assert from 'node:assert/strict'
import { cp, rm, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'

import type { WorkerOptions } from '../../../src/main/api/options.js'
import type { ReloadError } from '../../../src/main/base/errors.js'
import { openWorker, type Worker } from '../../../src/main/threads/pool.js'
import type { PrepareTask } from '../../../src/workers/protocol/prepare.js'
import { eventually } from '../../../support/base/eventually.js'
import { type FakeClock, fakeClock } from '../../../support/base/fake-clock.js'
import { writePair } from '../../../support/files/files.js'
import { tempDir } from '../../../support/files/temp-dir.js'
import { selfSigned } from '../../../support/material/certificates.js'
import { runModule } from '../../../support/processes/run-module.js'
import { type Fault, type FaultTask, faultTask } from '../../../support/worker/faults.js'
import { standIn } from '../../../support/worker/stand-in.js'
import { watchThreads } from '../../../support/worker/thread-watch.js'

const LIMITS: Required<WorkerOptions> = {
  timeoutMs: 1000,
  idleTimeoutMs: 60_000,
  memoryLimitMb: 32,
  maxFileBytes: 1024,
  maxCrlBytes: 1024,
}

const SECRET = 'MC4CAQAwBQYDK2VwBCIEIA'

const crashes: Readonly<Partial<Record<Fault, string>>> = {
  throws: 'throws an error',
  'throws-look-alike': 'throws an error whose message looks like a stack',
  'throws-text': 'throws a value that is not an error',
  'throws-nothing': 'throws undefined',
  exits: 'ends its thread',
  'hoards-memory': 'exceeds its memory limit',
  'returns-uncloneable': 'answers with a value that cannot be sent to another thread',
}

for (const [name, what] of Object.entries(crashes) as [Fault, string][]) {
  test(`a worker that ${what} costs only its own task, and its error quotes nothing`, async (t) => {
    const { run } = openPool(t, name)
    const error = await failureOf(run({ secret: SECRET }))
    assert.equal(error.code, 'WORKER_CRASHED')
    assert.doesNotMatch(allTextOf(error), new RegExp(SECRET))
    assert.ok((await run({ isHarmless: true })) > 0)
  })
}

test('a worker that exceeds its memory limit is distinguished from other crashes, and the error names the option to change', async (t) => {
  const { run } = openPool(t, 'hoards-memory')
  assert.match((await failureOf(run())).message, /\b32 MiB.*worker\.memoryLimitMb/)
})

const hangs: Readonly<Partial<Record<Fault, string>>> = {
  spins: 'never returns',
  'never-settles': 'never answers',
}

for (const [name, what] of Object.entries(hangs) as [Fault, string][]) {
  test(`a worker that ${what} is ended at the time limit, and not before`, async (t) => {
    const threads = watchThreads(t)
    const { run, clock } = openPool(t, name)
    const task = faultTask()
    let settled = false
    const failure = failureOf(run(task).finally(() => (settled = true)))
    await eventually('the task is taken', () => Atomics.load(task.taken, 0) === 1)
    await clock.advance(LIMITS.timeoutMs - 1)
    assert.equal(settled, false)
    await clock.advance(1)
    assert.equal((await failure).code, 'WORKER_TIMEOUT')
    await eventually('the thread that hung has ended', () => threads.alive < threads.started)
    assert.ok((await run({ isHarmless: true })) > 0)
    assert.equal(clock.pending, 0)
  })

  test(`a worker that ${what} does not delay another engine`, async (t) => {
    const hung = openPool(t, name)
    const other = openPool(t, name)
    const task = faultTask()
    const failure = failureOf(hung.run(task))
    await eventually('the task is taken', () => Atomics.load(task.taken, 0) === 1)
    assert.ok((await other.run({ isHarmless: true })) > 0)
    await hung.worker.close()
    assert.equal((await failure).code, 'CLOSED')
    assert.ok((await other.run({ isHarmless: true })) > 0)
  })
}

const idleDeaths: Readonly<Partial<Record<Fault, string>>> = {
  'throws-while-idle': 'throws after its answer',
  'exits-while-idle': 'ends its thread after its answer',
}

for (const [name, what] of Object.entries(idleDeaths) as [Fault, string][]) {
  test(`a worker that ${what} does not end the process, and the next task gets another thread`, async (t) => {
    const threads = watchThreads(t)
    const { run } = openPool(t, name)
    const before = await run()
    await eventually('the thread has died', () => threads.alive === 0)
    assert.notEqual(await run({ isHarmless: true }), before)
  })
}

test('a missing worker file is reported at once, with the steps for a bundler', async (t) => {
  const { run } = openPool(t, new URL('./no-such-worker.js', import.meta.url))
  const { code, message } = await failureOf(run())
  assert.equal(code, 'WORKER_CRASHED')
  assert.match(message, /could not start \(ERR_MODULE_NOT_FOUND\).*bundler/)
})

test('code without the files of its threads is refused at once, with the steps for a bundler', async (t) => {
  const { openWorker: openBundled } = await withoutFile(t, 'workers/entry.cjs')
  assert.throws(() => openBundled(LIMITS, fakeClock()), {
    code: 'WORKER_UNAVAILABLE',
    message: /files of the worker threads are missing.*docs\/bundlers\.md/,
  })
})

test('a thread can be ended at any moment of its start, and the process lives', async (t) => {
  for (let afterMs = 0; afterMs < 160; afterMs += 4) {
    const worker = openWorker(LIMITS, fakeClock())
    t.after(() => worker.close())
    const failure = failureOf(worker.prepare({} as PrepareTask))
    await delay(afterMs)
    await worker.close()
    assert.match((await failure).code, /^(CLOSED|WORKER_CRASHED)$/)
  }
})

test('the engine never waits while a thread loads its modules: Node 20 and 22 abort if such a thread is ended', async (t) => {
  const { run } = openPool(t, 'shows-its-stack')
  assert.doesNotMatch(String(await run()), /^\s+at (?!async ).*(piscina|require)/m)
})

test('a task that waits behind hung ones gets a thread when they are ended', async (t) => {
  const [one, two, third] = [openPool(t, 'spins'), openPool(t, 'spins'), openPool(t, 'spins')]
  const tasks = [faultTask(), faultTask()]
  const failures = [one, two].map(({ run }, i) => failureOf(run(tasks[i])))
  await eventually('both threads are taken', () => tasks.every(({ taken }) => Atomics.load(taken, 0) === 1))
  const waiting = third.run({ isHarmless: true })
  await one.clock.advance(LIMITS.timeoutMs)
  await two.clock.advance(LIMITS.timeoutMs)
  assert.deepEqual(
    (await Promise.all(failures)).map(({ code }) => code),
    ['WORKER_TIMEOUT', 'WORKER_TIMEOUT'],
  )
  assert.ok((await waiting) > 0)
})

test('engines with the same limits share a thread, and those with other limits have their own', async (t) => {
  const one = openPool(t, 'throws')
  const same = openPool(t, 'throws', { timeoutMs: 20, maxFileBytes: 20 })
  const other = openPool(t, 'throws', { memoryLimitMb: 48 })
  const thread = await one.run({ isHarmless: true })
  assert.equal(await same.run({ isHarmless: true }), thread)
  assert.notEqual(await other.run({ isHarmless: true }), thread)
})

test('a shared thread lives until the last of its engines is closed', async (t) => {
  const threads = watchThreads(t)
  const one = openPool(t, 'throws')
  const other = openPool(t, 'throws')
  const thread = await one.run({ isHarmless: true })
  await one.worker.close()
  await one.worker.close()
  assert.equal(await other.run({ isHarmless: true }), thread)
  await other.worker.close()
  await eventually('the thread has ended', () => threads.alive === 0)
})

test('an idle thread is released, and the next task gets another one', async (t) => {
  const threads = watchThreads(t)
  const { run } = openPool(t, 'throws', { idleTimeoutMs: 20 })
  const before = await run({ isHarmless: true })
  await eventually('the thread has ended', () => threads.alive === 0)
  assert.notEqual(await run({ isHarmless: true }), before)
})

test('a closed engine takes no task and starts no thread', async (t) => {
  const threads = watchThreads(t)
  const { worker, run } = openPool(t, 'throws')
  await worker.close()
  assert.equal((await failureOf(run({ isHarmless: true }))).code, 'CLOSED')
  assert.equal((await failureOf(worker.verify({ targets: [] }))).code, 'CLOSED')
  assert.equal(threads.started, 0)
})

test('a thread that ends with its engine is not replaced, however often it gets another task', async (t) => {
  const threads = watchThreads(t)
  const { worker } = openPool(t, 'spins')
  const task = faultTask()
  const hung = failureOf(worker.prepare(task as unknown as PrepareTask))
  await eventually('a thread spins', () => Atomics.load(task.taken, 0) === 1)
  const closing = worker.close()
  while (threads.alive > 0) {
    assert.equal((await failureOf(worker.verify({ targets: [] }))).code, 'CLOSED')
    // Not from a timer: this way it runs in the phase of the loop that reports the end of a thread.
    await stat('.')
    assert.equal(threads.started, 1)
  }
  await closing
  assert.equal((await hung).code, 'CLOSED')
})

test('a process that has nothing left but an engine, its timer and its idle thread exits by itself', async (t) => {
  const script = `
    const { CERT: cert, KEY: key } = process.env
    const engine = await api.createReloadEngine({ cert, key, autoReloadInterval: 0.2 })
    await engine.reload()
    console.log('idle')`
  const { cert, key } = writePair(tempDir(t), selfSigned())
  const { code, stdout } = await runModule(t, script, { CERT: cert, KEY: key })
  assert.equal(code, 0)
  assert.match(stdout, /^idle$/m)
})

interface OpenPool {
  readonly worker: Worker
  /** A clock that stands still, so that nothing times out on a slow machine. */
  readonly clock: FakeClock
  /** Returns the id of the thread. */
  run(task?: Partial<FaultTask>): Promise<number>
}

function openPool(
  t: TestContext,
  behaviour: Fault | 'shows-its-stack' | URL,
  limits: WorkerOptions = {},
): OpenPool {
  const clock = fakeClock()
  const tasks = behaviour instanceof URL ? behaviour : standIn(behaviour)
  const worker = openWorker({ ...LIMITS, ...limits }, clock, tasks)
  t.after(() => worker.close())
  return {
    worker,
    clock,
    async run(task) {
      const reply: unknown = await worker.prepare(faultTask(task) as unknown as PrepareTask)
      return reply as number
    },
  }
}

async function failureOf(run: Promise<unknown>): Promise<ReloadError> {
  return await run.then(
    (reply) => assert.fail(`expected a failure, got ${String(reply)}`),
    (error) => error,
  )
}

/** The pool of a copy of the build without one of its files. */
async function withoutFile(t: TestContext, file: string): Promise<{ openWorker: typeof openWorker }> {
  const root = fileURLToPath(new URL('../../../..', import.meta.url))
  const copy = tempDir(t)
  await cp(join(root, 'build/src'), copy, { recursive: true })
  await cp(join(root, 'package.json'), join(copy, 'package.json'))
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  await rm(join(copy, file))
  return await import(pathToFileURL(join(copy, 'main/threads/pool.js')).href)
}

function allTextOf({ message, stack, cause, problems }: ReloadError): string {
  return [message, stack, String(cause), JSON.stringify(problems)].join('\n')
}
