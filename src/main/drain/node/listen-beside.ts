import type { EventEmitter } from 'node:events'

// biome-ignore lint/suspicious/noExplicitAny: as the listeners of an EventEmitter are.
type Listener = (...args: any[]) => void

/**
 * Listens to events before all other listeners, but to each event only while it has another listener: Node accepts an
 * upgrade, leaves an `Expect: 100-continue` to the application, or wraps HTTP/2 streams as requests only if a listener
 * exists. Returns a function that stops it permanently.
 */
export function listenBeside(
  emitter: EventEmitter,
  listeners: Readonly<Record<string, Listener>>,
): () => void {
  let stopped = false
  const guarded = new Map<string, Listener>()
  for (const [event, listener] of Object.entries(listeners)) {
    // Applications remove listeners and call them themselves (socket.io does), so removal alone does not silence this one.
    guarded.set(event, (...args) => {
      if (!stopped) listener(...args)
    })
  }
  const join = (event: string, ours: Listener) => {
    if (!emitter.listeners(event).includes(ours)) emitter.prependListener(event, ours)
  }
  const onAdded = (event: string, which: Listener) => {
    const ours = guarded.get(event)
    if (ours && which !== ours) join(event, ours)
  }
  const onRemoved = (event: string, which: Listener) => {
    const ours = guarded.get(event)
    if (ours && which !== ours && emitter.listenerCount(event) === 1) emitter.off(event, ours)
  }
  for (const [event, ours] of guarded) if (emitter.listenerCount(event) > 0) join(event, ours)
  emitter.on('newListener', onAdded).on('removeListener', onRemoved)
  return () => {
    stopped = true
    emitter.off('newListener', onAdded).off('removeListener', onRemoved)
    for (const [event, ours] of guarded) emitter.off(event, ours)
  }
}
