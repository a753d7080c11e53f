/*
 * The Kubernetes example: its program with a volume that is written as the kubelet does, and with the exact commands of its
 * probes; and the values that its manifests must agree on. `npm run check:kubernetes` validates them against the schemas.
 */

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { parseAllDocuments } from 'yaml'

import { createMetrics } from '../../src/main/observe/metrics.js'
import { curl, withoutCurl } from '../../support/clients/curl.js'
import { servedBy, startEngine } from '../../support/engine/engines.js'
import { writePair } from '../../support/files/files.js'
import { kubernetesVolume } from '../../support/files/kubernetes-volume.js'
import { tempDir } from '../../support/files/temp-dir.js'
import { createAuthority, type Leaf } from '../../support/material/certificates.js'
import { startExample } from '../../support/processes/example-process.js'
import { projectRoot } from '../../support/processes/installed-package.js'

// biome-ignore lint/suspicious/noExplicitAny: a tree of another shape for each kind.
type Manifest = any

const [deployment, service] = manifestsIn('deployment.yaml')
const [certificate] = manifestsIn('certificate.yaml')
const [monitor, rule] = manifestsIn('monitoring.yaml')
const pod = deployment.spec.template.spec
const [container] = pod.containers
const env: Manifest = Object.fromEntries(container.env.map(({ name, value }: Manifest) => [name, value]))

test('the program of the Deployment loads a renewed Secret, and its probes and metrics answer', {
  skip: withoutCurl,
}, async (t) => {
  const dir = tempDir(t)
  const authority = createAuthority()
  const volume = kubernetesVolume(join(dir, 'tls'))
  mkdirSync(volume.dir)
  volume.write(secretOf(authority.issue()))
  const control = join(dir, 'run', 'control.sock')
  const example = startExample(t, 'kubernetes/server.js', {
    dir,
    env: {
      ...env,
      TLS_DIR: volume.dir,
      CONTROL: control,
      PORT: '0',
      METRICS_PORT: '0',
      RELOAD_SECONDS: '0.1',
    },
  })
  const portAfter = async (start: string) =>
    Number((await example.next((line) => line.startsWith(start))).split(' ').at(-1))
  const port = await portAfter('listening on')
  const metricsPort = await portAfter('metrics on')

  const renewed = authority.issue()
  volume.write(secretOf(renewed))
  assert.equal(await example.reloaded(), renewed.fingerprint256)
  assert.equal(await servedBy(port), renewed.fingerprint256)
  for (const { exec } of [container.readinessProbe, container.livenessProbe]) {
    const [program, ...args] = exec.command.map((word: string) => (word === env.CONTROL ? control : word))
    assert.equal(program, 'curl')
    assert.deepEqual(await curl(...args).then(({ code, stderr }) => ({ code, stderr })), {
      code: 0,
      stderr: '',
    })
  }
  const { stdout } = await curl(`http://127.0.0.1:${metricsPort}/metrics`)
  assert.match(stdout, /^certswap_generation 2$/m)
  assert.equal(await example.stop('SIGTERM'), 0)
})

test('the manifests of the example agree with each other', () => {
  assert.equal(pod.volumes[0].secret.secretName, certificate.spec.secretName)
  const [tls, run] = container.volumeMounts
  assert.equal(tls.mountPath, env.TLS_DIR)
  assert.ok(env.CONTROL.startsWith(`${run.mountPath}/private/`), 'the socket is in a directory of its own')
  assert.ok(!('subPath' in tls), 'a file that is mounted by subPath never changes')
  assert.deepEqual(
    container.ports.map(({ containerPort }: Manifest) => String(containerPort)),
    [env.PORT, env.METRICS_PORT],
  )
  const portNames = container.ports.map(({ name }: Manifest) => name)
  assert.deepEqual(
    service.spec.ports.map(({ targetPort }: Manifest) => targetPort),
    portNames,
  )
  assert.ok(portNames.includes(monitor.spec.endpoints[0].port))
  const { labels } = deployment.spec.template.metadata
  for (const { matchLabels } of [deployment.spec.selector, monitor.spec.selector]) {
    assert.deepEqual(matchLabels, labels)
  }
  assert.deepEqual(service.spec.selector, labels)
  assert.deepEqual(service.metadata.labels, labels)
})

test('the grace period is the sum that the Deployment documents', () => {
  const text = readFileSync(join(projectRoot, 'examples/kubernetes/deployment.yaml'), 'utf8')
  const [, preStop, drain, spare] = /preStop (\d+) s .* \+ (\d+) s .* \+ (\d+) s reserve/.exec(text) ?? []
  assert.equal(Number(preStop), container.lifecycle.preStop.sleep.seconds)
  assert.equal(drain, env.DRAIN_SECONDS)
  assert.equal(pod.terminationGracePeriodSeconds, Number(preStop) + Number(drain) + Number(spare))
})

test('the alerts use metrics that exist', async (t) => {
  const engine = await startEngine(t, writePair(tempDir(t), createAuthority().issue()))
  const exposed = await createMetrics(engine).text()
  const expressions: string[] = rule.spec.groups.flatMap(({ rules }: Manifest) =>
    rules.map(({ expr }: Manifest) => expr),
  )
  assert.equal(expressions.length, 4)
  for (const name of expressions.flatMap((expression) => expression.match(/certswap_\w+/g) ?? [])) {
    assert.ok(exposed.includes(`# TYPE ${name} `), name)
  }
})

function manifestsIn(file: string): Manifest[] {
  const text = readFileSync(join(projectRoot, 'examples/kubernetes', file), 'utf8')
  return parseAllDocuments(text).map((document) => document.toJS())
}

function secretOf({ chainPem, keyPem }: Leaf): Record<string, string> {
  return { 'tls.crt': chainPem, 'tls.key': keyPem }
}
