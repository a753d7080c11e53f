import { readFileSync } from 'node:fs'
import https from 'node:https'
import { dirname } from 'node:path'
import tls from 'node:tls'

import fastGlob from 'fast-glob'

import { contentDigest } from '../../src/fingerprint/index.js'
import { addIdentity, buildContext, buildTrust } from '../../src/main/generation/build-context.js'
import type { Host } from '../../src/main/generation/host.js'
import { HostTable } from '../../src/main/generation/host-table.js'
import { closeContext, pointAt } from '../../src/main/generation/native-context.js'
import { runAtOnce } from '../../src/main/generation/slices.js'
import { derOf, splitPem } from '../../src/workers/formats/pem.js'
import { givenPassphrase, readIdentities } from '../../src/workers/judge/identity.js'
import { PeerRules, packRules } from '../../src/workers/judge/peer-rules.js'
import { certificatesOf } from '../../src/workers/parse/certificates.js'
import { privateKeysOf } from '../../src/workers/parse/private-key.js'
import { Findings } from '../../src/workers/problems/findings.js'
import { HOST_DATES } from '../../src/workers/protocol/hosts.js'
import { listDirectory } from '../../src/workers/read/list-directory.js'
import { stampFile } from '../../src/workers/read/read-file.js'
import { rehearse } from '../../src/workers/rehearse/rehearse.js'
import { keyPem } from '../../src/workers/reply/transfer.js'
import { contextPlan, preparedPair } from '../../support/engine/context-plans.js'
import { filesOf, preparedHere, prepareHere, taskFor } from '../../support/worker/tasks-here.js'
import type { SiteFiles } from '../material/site.js'

/** One step of a reload that can be repeated. */
export interface MicroTask {
  readonly name: string
  /** Called before each repetition; not timed. */
  readonly before?: () => void
  run(): unknown
}

/** The steps of a reload of an EC pair with 500 CAs, in order, and the listing of SNI hosts. */
export async function microTasks({ cert, key, ca = '', hosts = '' }: SiteFiles): Promise<MicroTask[]> {
  const options = { cert, key, ca }
  const task = taskFor(options)
  const served = await preparedHere(task)
  const bundle = readFileSync(ca)
  const chain = readFileSync(cert)
  const keyFile = readFileSync(key)
  const found = new Findings(false)
  const identities = readIdentities(filesOf(options), givenPassphrase(task.sources), found)
  const keys = identities.map((identity) => keyPem(identity.key))
  const rehearsed = { context: task.context, requestCert: false }
  const table = hostTable(10_000)
  return [
    { name: 'stamp of a file', run: () => stampFile(cert) },
    { name: 'SHA-256 of 500 CAs', run: () => contentDigest(bundle) },
    { name: 'parse a chain of 2', run: () => certificatesOf(splitPem(chain, cert), cert) },
    { name: 'read a private key', run: () => privateKeysOf(splitPem(keyFile, key), key, null) },
    { name: 'parse 500 CAs', run: () => certificatesOf(splitPem(bundle, ca), ca) },
    {
      name: 'rehearse, TLS 1.2 and 1.3',
      run: () => rehearse(identities, keys, rehearsed, null, null, found),
    },
    { name: 'list 50 directories of hosts', run: () => listDirectory(dirname(hosts)) },
    { name: 'the same by fast-glob', run: () => fastGlob.sync(hosts, { onlyDirectories: true }) },
    { name: 'prepare that finds nothing new', run: () => prepareHere({ ...task, record: served.record }) },
    ...stagingTasks(chain.toString(), readFileSync(key, 'utf8'), bundle.toString()),
    ...[1, 10_000].map((count) => {
      const rules = peerRules(count)
      const [leaf] = splitPem(chain, cert).map(({ pem }) => derOf(pem)) as [Buffer]
      return { name: `judge a client, rules: ${count}`, run: () => rules.admits(leaf) }
    }),
    { name: 'SNI look-up among 10,000 hosts', run: () => table.find('h5000.bench.test') },
  ]
}

function stagingTasks(chainPem: string, keyText: string, bundle: string): MicroTask[] {
  const anchors = bundle.split(/(?<=-----END CERTIFICATE-----\n)/).map((certPem) => ({ certPem }))
  const pair = { chainPem, keyPem: keyText }
  const [one, many] = [1, anchors.length].map((count) =>
    contextPlan({ pairs: [pair], anchors: anchors.slice(0, count) }),
  ) as [ReturnType<typeof contextPlan>, ReturnType<typeof contextPlan>]
  const servers = Array.from({ length: 16 }, () => https.createServer())
  const context = tls.createSecureContext({ cert: chainPem, key: keyText })
  let spare = runAtOnce(buildTrust(one))
  return [
    {
      name: 'bare createSecureContext',
      run: () => closeContext(tls.createSecureContext({ cert: chainPem, key: keyText })),
    },
    { name: 'stage with 1 CA', run: () => closeContext(runAtOnce(buildContext(one))) },
    { name: 'stage with 500 CAs', run: () => closeContext(runAtOnce(buildContext(many))) },
    {
      name: 'stage on a spare',
      before: () => {
        closeContext(spare)
        spare = runAtOnce(buildTrust(one))
      },
      run: () => runAtOnce(addIdentity(spare, [preparedPair(pair)])),
    },
    {
      name: 'commit to 16 servers',
      run: () => {
        for (const server of servers) pointAt(server, context)
      },
    },
  ]
}

function peerRules(count: number): PeerRules {
  const rules = Array.from({ length: count }, (_, i) => `uri spiffe://bench.test/service/${i}`)
  return PeerRules.of(Buffer.from(packRules(rules)))
}

function hostTable(count: number): HostTable {
  const hosts = Array.from({ length: count }, (_, i) => ({
    id: `${i}`,
    names: [`h${i}.bench.test`],
    notAfter: '2030-01-01T00:00:00.000Z',
    dates: new Float64Array(HOST_DATES),
    datesAt: 0,
  })) as unknown as Host[]
  return runAtOnce(HostTable.empty.after(hosts, []))
}
