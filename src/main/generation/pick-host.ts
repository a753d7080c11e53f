import { coversName, type Snapshot } from './generation.js'
import type { Host } from './host.js'

/** Whose certificate a client is shown that asks for a server name; `refused` where there is none for it. */
export function pickHost(
  { hosts, options, generation }: Pick<Snapshot, 'hosts' | 'options' | 'generation'>,
  servername: string,
): Host | 'default' | 'refused' {
  const host = hosts.find(servername)
  if (host) return host
  if (options.unknownHosts === 'default' || coversName(generation.certificates, servername)) return 'default'
  return 'refused'
}
