import { mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface KubernetesVolume {
  readonly dir: string
  /** The path that a pod is told, such as `DIR/tls.crt`. */
  path(name: string): string
  /** Replaces the whole content; a file that is not named any more goes. */
  write(files: Readonly<Record<string, string | Uint8Array>>): void
}

/** A Secret mounted into a pod, written as the kubelet's AtomicWriter does: every update moves one link. */
export function kubernetesVolume(dir: string): KubernetesVolume {
  const path = (name: string): string => join(dir, name)
  let updates = 0

  const write: KubernetesVolume['write'] = (files) => {
    const previous = readdirSync(dir).includes('..data') ? readlinkSync(path('..data')) : undefined
    const current = `..2026_01_01_00_00_00.${String(++updates).padStart(9, '0')}`
    mkdirSync(path(current))
    for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, current, name), content)
    symlinkSync(current, path('..data_tmp'))
    renameSync(path('..data_tmp'), path('..data'))
    linkVisibleFiles(dir, Object.keys(files))
    if (previous !== undefined) rmSync(path(previous), { recursive: true })
  }
  return { dir, path, write }
}

function linkVisibleFiles(dir: string, names: readonly string[]): void {
  const visible = readdirSync(dir).filter((name) => !name.startsWith('..'))
  for (const name of names) {
    if (!visible.includes(name)) symlinkSync(join('..data', name), join(dir, name))
  }
  for (const name of visible) {
    if (!names.includes(name)) rmSync(join(dir, name))
  }
}
