import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'

import type { LibraryClient } from './client-library.js'

/** Queries that run all the time, several at once. */
export interface QueryLoad {
  /** Resolves once each loop has finished a query that began after the call, or a query has failed. */
  progress(): Promise<void>
  /** Ends the load; fails if a query failed, or if an open connection showed another certificate. */
  stop(): Promise<void>
}

/** @param loops the number of queries at once */
export function startLoad(client: LibraryClient, loops = 4): QueryLoad {
  const serials = new Map<string, string>()
  const failures: unknown[] = []
  const states = Array.from({ length: loops }, () => ({ finished: 0 }))
  const events = new EventEmitter()
  let running = true

  async function run(loop: { finished: number }): Promise<void> {
    while (running && failures.length === 0) {
      try {
        const { serial, connection } = await client.query()
        assert.equal(
          serial,
          serials.get(connection) ?? serial,
          'an open connection shows another certificate',
        )
        serials.set(connection, serial)
      } catch (error) {
        failures.push(error)
      }
      loop.finished++
      events.emit('query')
    }
  }

  const ended = Promise.all(states.map(run))
  return {
    async progress() {
      // One may be in flight.
      const wanted = states.map((state) => ({ state, count: state.finished + 2 }))
      while (failures.length === 0 && wanted.some(({ state, count }) => state.finished < count)) {
        await once(events, 'query')
      }
    },
    async stop() {
      running = false
      await ended
      assert.deepEqual(failures, [])
    },
  }
}
