// A service of certificates for certswap's httpsSource and Caddy's get_certificate: node https-service.js
import { createHash, timingSafeEqual } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import https from 'node:https'

import { createReloadEngine } from 'certswap'

const dir = process.env.TLS_DIR ?? '.certswap' // tls.crt and tls.key of the service itself
const store = process.env.STORE_DIR ?? 'store' // NAME.pem: key and chain of a name, renamed into place; trust.pem
const tokenFile = process.env.TOKEN_FILE ?? 'token' // the token of the clients, at least 32 random characters

const engine = await createReloadEngine({
  cert: `${dir}/tls.crt`,
  key: `${dir}/tls.key`,
  autoReloadInterval: Number(process.env.RELOAD_SECONDS ?? 30),
})

async function answer(request, response) {
  const url = new URL(request.url, 'https://service')
  if (request.method !== 'GET') return response.writeHead(405).end()
  if (!(await isClient(request.headers.authorization, url.searchParams))) return response.writeHead(401).end()
  if (url.pathname === '/trust') return send('trust.pem', request, response)
  const name = url.searchParams.get('server_name') ?? ''
  if (url.pathname !== '/certificate' || !/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(name)) {
    return response.writeHead(404).end() // a mistake of the client, which removes nothing
  }
  return send(`${name}.pem`, request, response)
}

/** Caddy sends no header, so its token is a parameter of the URL. */
async function isClient(authorization, parameters) {
  const token = authorization?.replace(/^Bearer /, '') ?? parameters.get('token') ?? ''
  const expected = (await readFile(tokenFile, 'utf8')).trim()
  return expected.length >= 32 && timingSafeEqual(digestOf(token), digestOf(expected))
}

function digestOf(text) {
  return createHash('sha256').update(text).digest()
}

async function send(file, request, response) {
  const handle = await open(`${store}/${file}`).catch((error) => {
    if (error.code !== 'ENOENT') throw error
  })
  if (!handle) return response.writeHead(204).end() // there is no such name: only this removes it
  try {
    const { mtimeNs, ino, size } = await handle.stat({ bigint: true })
    const etag = `"${mtimeNs}-${ino}-${size}"` // changes with the key, and says nothing about it
    if (request.headers['if-none-match'] === etag) return response.writeHead(304, { etag }).end()
    const body = await handle.readFile()
    response.writeHead(200, { 'content-type': 'application/x-pem-file', 'content-length': body.length, etag })
    response.end(body)
  } finally {
    await handle.close()
  }
}

const server = https.createServer(engine.serverOptions(), (request, response) => {
  answer(request, response).catch(({ code }) => {
    console.error(code)
    response.writeHead(503, { 'retry-after': '5' }).end() // an error says nothing about the name
  })
})
engine.attach(server)
server.listen(Number(process.env.PORT ?? 0), () => console.log(`listening on ${server.address().port}`))
