import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { Feed } from '../feed/feed.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'

/** An engine with files loads none of the code of sources. */
export async function feedOf(options: ResolvedOptions, clock: Clock, logger: Logger): Promise<Feed | null> {
  if (options.source === null) return null
  const { openFeed } = await import('../feed/open-feed.js')
  return openFeed(options.source, options, clock, logger)
}
