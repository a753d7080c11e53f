export type { RedisClient } from './client.js'
export type { RedisSourceOptions } from './options.js'
export {
  type Published,
  type PublishedMaterial,
  type PublishOptions,
  publishToRedis,
  withdrawFromRedis,
} from './publish.js'
export type { PublishTarget } from './publish-target.js'
export { redisSource } from './source.js'
export { type WrapOptions, wrapForRedis } from './wrap-for-redis.js'
