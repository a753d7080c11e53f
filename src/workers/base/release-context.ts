import type tls from 'node:tls'

/**
 * Frees a native context now: V8 knows of a kilobyte of it and would let hundreds pile up. Nothing else may still hold it.
 * The handle is not public API; one of another shape is left to the garbage collector.
 */
export function releaseContext(context: tls.SecureContext): void {
  const handle = context.context as { close?: () => void } | undefined
  if (typeof handle?.close === 'function') handle.close()
}
