import type { Shape } from '../material/shapes.js'
import { createSite, type Site, type SiteFiles } from '../material/site.js'
import type { SubjectOptions } from '../server/subject.js'
import { type NodeService, startNodeService } from '../services/node-service.js'
import type { Service } from '../services/service.js'

/** Runs one measurement on a new server process with its own files. */
export async function withService<T>(
  node: string,
  shape: Shape,
  subject: Omit<SubjectOptions, 'files'>,
  measure: (service: NodeService, site: Site) => Promise<T>,
): Promise<T> {
  return await withServer(shape, (files) => startNodeService(node, { ...subject, files }), measure)
}

/** Runs one measurement on any server with its own files. */
export async function withServer<S extends Service, T>(
  shape: Shape,
  start: (files: SiteFiles) => Promise<S>,
  measure: (service: S, site: Site) => Promise<T>,
): Promise<T> {
  const site = createSite(shape)
  try {
    const service = await start(site.files)
    try {
      return await measure(service, site)
    } finally {
      await service.stop()
    }
  } finally {
    await site.remove()
  }
}

/** Renews the certificate. @throws Error unless the reload was applied */
export async function renewAndReload(service: NodeService, site: Site): Promise<void> {
  site.renew()
  const report = await service.reload()
  if (report?.outcome !== 'applied') throw new Error(`the reload was ${report?.outcome}: ${report?.problems}`)
}

export function anyPorts(count: number): number[] {
  return Array.from({ length: count }, () => 0)
}
