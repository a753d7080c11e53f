import { type ActFlags, act } from './act.js'

export interface ReloadFlags extends ActFlags {
  readonly force?: boolean
  readonly dryRun?: boolean
  /** Server name, or `default`. */
  readonly context?: string
}

/** `certswap reload` */
export async function reload(flags: ReloadFlags): Promise<void> {
  const query = new URLSearchParams({
    ...(flags.context === undefined ? {} : { context: flags.context }),
    ...(flags.force ? { force: '1' } : {}),
    ...(flags.dryRun ? { dry_run: '1' } : {}),
  })
  await act(flags, query.size === 0 ? '/reload_certs' : `/reload_certs?${query}`)
}

export interface RollbackFlags extends ActFlags {
  readonly trust?: boolean
}

/** `certswap rollback` */
export async function rollback(generation: number | undefined, flags: RollbackFlags): Promise<void> {
  const query = new URLSearchParams({
    ...(generation === undefined ? {} : { generation: String(generation) }),
    ...(flags.trust ? { trust: '1' } : {}),
  })
  await act(flags, query.size === 0 ? '/rollback' : `/rollback?${query}`)
}
