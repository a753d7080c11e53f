import { absolutePath } from '../../base/absolute-paths.js'

/** Options of the configuration file, which are not validated yet: any type is possible. */
interface WithSources {
  readonly source?: unknown
  readonly hosts?: unknown
}

/**
 * The options with absolute paths in their sources, of which every option with a path is named `…File`.
 *
 * @param given the options as they are in the file: what follows `hosts.onDemand` are not the files of a host.
 */
export function withAbsoluteSources<T extends object>(options: T, given: T, base: string): T {
  const { source, hosts } = given as WithSources
  return {
    ...options,
    ...(source === undefined ? {} : { source: absoluteSource(source, base) }),
    ...(isRecord(hosts) && 'onDemand' in hosts ? { hosts: absoluteOnDemand(hosts, base) } : {}),
  }
}

function absoluteOnDemand(hosts: Record<string, unknown>, base: string): unknown {
  const { onDemand } = hosts
  if (!isRecord(onDemand)) return hosts
  return { ...hosts, onDemand: { ...onDemand, source: absoluteSource(onDemand['source'], base) } }
}

function absoluteSource(source: unknown, base: string): unknown {
  if (!isRecord(source)) return source
  const entries = Object.entries(source).map(([name, value]) => {
    const isPath = typeof value === 'string' && value !== '' && name.endsWith('File')
    return [name, isPath ? absolutePath(value, base) : value]
  })
  return Object.fromEntries(entries)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
