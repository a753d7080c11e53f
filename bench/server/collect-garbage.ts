import { Session } from 'node:inspector/promises'

/**
 * Runs a full garbage collection in every thread of this process, as DevTools do; `gc()` only collects the calling thread. V8
 * also returns the memory reserved for young generations.
 */
export async function collectEveryThread(): Promise<void> {
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.collectGarbage')
    await collectInWorkers(session)
  } finally {
    session.disconnect()
  }
}

async function collectInWorkers(session: Session): Promise<void> {
  const collections: Promise<void>[] = []
  session.on('NodeWorker.attachedToWorker', ({ params: { sessionId } }) => {
    collections.push(collectIn(session, sessionId))
  })
  await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
  await Promise.all(collections)
  await session.post('NodeWorker.disable')
}

async function collectIn(session: Session, sessionId: string): Promise<void> {
  const answered = new Promise<void>((resolve) => {
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      if (params.sessionId === sessionId) resolve()
    })
  })
  const message = JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' })
  await session.post('NodeWorker.sendMessageToWorker', { sessionId, message })
  await answered
}
