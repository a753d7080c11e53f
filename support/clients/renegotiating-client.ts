import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { Leaf } from '../material/certificates.js'

/** For the option `skip` of a test. Python can replace the certificate of a client connection; Node cannot. */
export const withoutPython: false | string =
  spawnSync('python3', ['-c', 'import ssl']).status === 0 ? false : 'needs python3: apt-get install python3'

/**
 * Starts a TLS 1.2 client with the first certificate. After it has read `switch`, which it answers, it sends the second one in
 * the next renegotiation.
 */
export function renegotiatingClient(
  t: TestContext,
  dir: string,
  port: number,
  identities: readonly [Leaf, Leaf],
): { readonly exited: Promise<unknown> } {
  const files = identities.flatMap(({ chainPem, keyPem }, i) => {
    const [cert, key] = [join(dir, `client-${i}.crt`), join(dir, `client-${i}.key`)]
    writeFileSync(cert, chainPem)
    writeFileSync(key, keyPem)
    return [cert, key]
  })
  const client = spawn('python3', ['-c', CLIENT, String(port), ...files], { stdio: 'inherit' })
  const exited = once(client, 'exit')
  t.after(() => client.kill())
  return { exited }
}

const CLIENT = `
import socket
import ssl
import sys


def context_with(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    # A renegotiation by ticket would request no certificate.
    context.options |= ssl.OP_NO_TICKET
    context.load_cert_chain(cert, key)
    return context


port, cert, key, other_cert, other_key = sys.argv[1:]
connection = context_with(cert, key).wrap_socket(socket.create_connection(("127.0.0.1", int(port))))
other = context_with(other_cert, other_key)
try:
    while data := connection.recv(100):
        if data == b"switch":
            connection.context = other
        connection.sendall(b"ok")
except OSError:
    pass
`
