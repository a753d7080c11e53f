import type { Guard } from './app.js'
import { RequestProblem } from './problem-document.js'

/**
 * Refuses requests with headers that only browsers send: a web page must not reach this server through a proxy in front of
 * the socket.
 */
export const refuseBrowsers: Guard = (headers) => {
  for (const [name] of headers) {
    if (name === 'origin' || name === 'upgrade' || name.startsWith('sec-fetch-')) {
      throw new RequestProblem('browser-refused', `requests with the header ${name} are refused`)
    }
  }
}
