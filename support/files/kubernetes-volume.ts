import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'

export interface KubernetesVolume {
  readonly dir: string
  /** The path that a pod uses, such as `DIR/tls.crt`. */
  path(name: string): string
  /** Replaces the whole content, unless it is the same; files that are not listed are removed. */
  write(files: Payload): void
}

type Payload = Readonly<Record<string, string>>

/**
 * A Secret, ConfigMap or projected volume, written step by step as the kubelet's AtomicWriter does
 * (`pkg/volume/util/atomic_writer.go`): every update is a new directory with a time in its name, and changes one link.
 */
export function kubernetesVolume(dir: string): KubernetesVolume {
  const path = (name: string): string => join(dir, name)

  const write: KubernetesVolume['write'] = (files) => {
    const previous = readdirSync(dir).includes('..data') ? readlinkSync(path('..data')) : undefined
    if (previous !== undefined && holds(path(previous), files)) return
    const current = mkdtempSync(path(timestamp()))
    chmodSync(current, 0o755)
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(current, name), content, { mode: 0o644 })
    }
    symlinkSync(basename(current), path('..data_tmp'))
    renameSync(path('..data_tmp'), path('..data'))
    linkVisibleFiles(dir, Object.keys(files))
    if (previous !== undefined) rmSync(path(previous), { recursive: true })
  }
  return { dir, path, write }
}

function holds(dir: string, files: Payload): boolean {
  const there = Object.fromEntries(
    readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'utf8')]),
  )
  const names = Object.keys(files)
  return names.length === Object.keys(there).length && names.every((name) => files[name] === there[name])
}

/** For instance `..2026_11_20_23_59_59.`, to which a random suffix is added. */
function timestamp(): string {
  return `..${new Date().toISOString().slice(0, 19).replace(/[-T:]/g, '_')}.`
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
