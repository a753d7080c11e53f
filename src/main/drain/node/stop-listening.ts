import http from 'node:http'
import https from 'node:https'
import net from 'node:net'

/**
 * Closes only the listener of a server. The `close` of node:http also destroys every idle connection, whose client may be
 * sending a request at that moment; since Node 24 the `close` of node:http2 also closes every session.
 */
export function stopListening(server: net.Server): void {
  if (!server.listening) return
  if (!('closeIdleConnections' in server)) {
    net.Server.prototype.close.call(server)
    return
  }
  const close = server instanceof http.Server ? server.close : https.Server.prototype.close
  server.closeIdleConnections = () => {}
  try {
    close.call(server as https.Server)
  } finally {
    Reflect.deleteProperty(server, 'closeIdleConnections')
  }
}
