import type { RedisClient } from '../sources/redis/client.js'
import { CommandError, EXIT } from './exit-codes.js'

/** The used part of the package `redis`. */
interface RedisPackage {
  readonly createClient: (options: object) => RedisClient
}

/**
 * A client of the package `redis`, which users may not have installed. It is not connected.
 *
 * @throws CommandError, without the URL, which may contain a password.
 */
export async function redisClientOf(url: string, flag: string): Promise<RedisClient> {
  if (!/^rediss?:\/\//.test(url)) {
    throw new CommandError(EXIT.usage, [
      `the value of ${flag} is not a URL like redis://HOST:PORT or rediss://HOST:PORT`,
      `correct ${flag}`,
    ])
  }
  // A package that users may not have. A specifier that is not a literal keeps it out of bundles.
  const name = 'redis'
  const { createClient } = await (import(name) as Promise<RedisPackage>).catch(() => {
    throw new CommandError(EXIT.usage, ['the package `redis` is not installed', 'run: npm install redis'])
  })
  try {
    return createClient({ url })
  } catch {
    throw new CommandError(EXIT.usage, [
      `the URL of ${flag} is invalid`,
      'use redis://USER:PASSWORD@HOST:PORT/DATABASE',
    ])
  }
}
