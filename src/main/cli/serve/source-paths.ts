import { absolutePath } from '../../base/absolute-paths.js'

/** Options of the configuration file, which are not validated yet: any type is possible. */
type WithSources = Readonly<Record<string, unknown>>

/**
 * The options with absolute paths in their sources, of which every option with a path is named `…File`, and in `lastGood`.
 *
 * @param given the options as they are in the file: what follows `hosts.onDemand` are not the files of a host.
 */
export function withAbsoluteSources<T extends WithSources>(options: T, given: T, base: string): T {
  const { source, hosts, lastGood } = given as { source?: unknown; hosts?: unknown; lastGood?: unknown }
  return {
    ...options,
    ...(source === undefined ? {} : { source: absoluteSource(source, base) }),
    ...(isRecord(hosts) && 'onDemand' in hosts ? { hosts: absoluteOnDemand(hosts, base) } : {}),
    ...(lastGood === undefined
      ? {}
      : { lastGood: mapPaths(lastGood, base, (name) => name === 'dir' || isFile(name)) }),
  }
}

function absoluteOnDemand(hosts: Record<string, unknown>, base: string): unknown {
  const { onDemand } = hosts
  if (!isRecord(onDemand)) return hosts
  return { ...hosts, onDemand: { ...onDemand, source: absoluteSource(onDemand['source'], base) } }
}

function absoluteSource(source: unknown, base: string): unknown {
  return mapPaths(source, base, isFile)
}

function isFile(name: string): boolean {
  return name.endsWith('File')
}

function mapPaths(value: unknown, base: string, isPath: (name: string) => boolean): unknown {
  if (!isRecord(value)) return value
  const entries = Object.entries(value).map(([name, one]) => {
    const isRelated = typeof one === 'string' && one !== '' && isPath(name)
    return [name, isRelated ? absolutePath(one, base) : one]
  })
  return Object.fromEntries(entries)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
