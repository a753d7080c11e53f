import { coversName, type Snapshot } from './generation.js'
import type { Host } from './host.js'

/** Resolves an SNI name to a host, the default certificate, or a refusal. */
export function pickHost(
  { hosts, options, generation }: Pick<Snapshot, 'hosts' | 'options' | 'generation'>,
  servername: string,
): Host | 'default' | 'refused' {
  const host = hosts.find(servername)
  if (host) return host
  if (options.unknownHosts === 'default' || coversName(generation.certificates, servername)) return 'default'
  return 'refused'
}
