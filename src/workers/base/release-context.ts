import type tls from 'node:tls'

/**
 * Frees a native context now: V8 knows only a kilobyte of it and would let hundreds accumulate. It must have no other
 * user. The handle is not public API; if its shape is unknown, the context is left to the garbage collector.
 */
export function releaseContext(context: tls.SecureContext): void {
  const handle = context.context as { close?: () => void } | undefined
  if (typeof handle?.close === 'function') handle.close()
}
