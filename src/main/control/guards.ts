import type { Guard } from './app.js'
import { RequestProblem } from './problem-document.js'

/**
 * Refuses what only browsers send: a page must not reach this server through a bridge that someone put before the
 * socket.
 */
export const refuseBrowsers: Guard = (headers) => {
  for (const [name] of headers) {
    if (name === 'origin' || name === 'upgrade' || name.startsWith('sec-fetch-')) {
      throw new RequestProblem('browser-refused', `requests with the header ${name} are refused`)
    }
  }
}
