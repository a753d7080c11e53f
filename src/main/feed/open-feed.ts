import type { MaterialSource } from '../api/source.js'
import type { Clock } from '../base/clock.js'
import type { Logger } from '../base/logger.js'
import type { ResolvedOptions } from '../generation/resolved-options.js'
import { limitsOf } from '../prepare/preparation.js'
import { Feed } from './feed.js'

/** The feed of an engine with a source. */
export function openFeed(
  source: MaterialSource,
  options: ResolvedOptions,
  clock: Clock,
  logger: Logger,
): Feed {
  if (!source.watch && options.autoReloadInterval === 0) {
    const message =
      'the source announces no changes, and `autoReloadInterval` is 0: only reload() reads it again; set an interval'
    logger.warn({ source: source.name }, message)
  }
  return new Feed({
    ...{ source, clock, logger },
    limits: limitsOf(options),
    takesHosts: options.hosts !== null,
    timeoutMs: options.sourceTimeoutSeconds * 1000,
    startTimeoutMs: options.startTimeoutSeconds * 1000,
    lastGood: options.lastGood,
  })
}
