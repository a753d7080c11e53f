/*
 * A host directory that claims the names of the default certificate, or of another host, is reported; an option lists the hosts
 * that may do so.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { hostSite } from '../../../support/engine/host-site.js'
import { writePair } from '../../../support/files/files.js'

const FAR = new Date('2049-01-01')

test('a host that claims a name of the default certificate is reported when it is added', async (t) => {
  const site = await hostSite(t, {})
  const leaf = site.put('evil', { names: ['localhost', 'evil.test'], notAfter: FAR })
  const { outcome, warnings } = await site.engine.reload()
  assert.equal(outcome, 'applied')
  const [taken] = warnings.filter(({ code }) => code === 'HOST_NAME_TAKEN')
  assert.equal(taken?.host, join(site.dir, 'hosts/evil'))
  assert.match(taken?.message ?? '', /localhost belongs to the default certificate/)
  assert.equal(await site.shown('localhost'), leaf.fingerprint256)
})

test('with policy.nameClaims, a host that is not listed takes no name from the default certificate', async (t) => {
  const site = await hostSite(t, {}, { policy: { nameClaims: [] } })
  const own = site.authority.issue({ names: ['localhost', 'www.shop.test', '*.tenants.test'] })
  writePair(site.dir, own)
  const evil = site.put('evil', {
    names: ['localhost', '*.shop.test', 'a.tenants.test', 'evil.test'],
    notAfter: FAR,
  })
  const { outcome, warnings } = await site.engine.reload()
  assert.equal(outcome, 'applied')
  assert.ok(warnings.some(({ code, host }) => code === 'HOST_NAME_TAKEN' && host?.endsWith('evil')))
  for (const name of ['localhost', 'www.shop.test', 'a.tenants.test']) {
    assert.equal(await site.shown(name), own.fingerprint256, name)
  }
  for (const name of ['evil.test', 'other.shop.test']) {
    assert.equal(await site.shown(name), evil.fingerprint256, name)
  }
})

test('with policy.nameClaims, a later expiry takes no name from another host, in either order', async (t) => {
  const site = await hostSite(t, { 'shop.test': {} }, { policy: { nameClaims: [] } })
  const evil = site.put('aaa', { names: ['shop.test', 'aaa.test'], notAfter: FAR })
  const { warnings } = await site.engine.reload()
  assert.deepEqual(
    warnings.filter(({ code }) => code === 'HOST_NAME_TAKEN').map(({ host }) => host),
    [join(site.dir, 'hosts/aaa')],
  )
  assert.notEqual(await site.shown('shop.test'), evil.fingerprint256)
  const renewed = site.put('shop.test')
  await site.engine.reload()
  assert.equal(await site.shown('shop.test'), renewed.fingerprint256)
  assert.equal(await site.shown('aaa.test'), evil.fingerprint256)
})

test('policy.nameClaims lets the listed hosts claim names, and a renewed default certificate takes its names back from the others', async (t) => {
  const site = await hostSite(t, { 'front-1': { names: ['localhost'] } })
  const { dir, engine } = site
  await engine.update({ policy: { nameClaims: [join(dir, 'hosts/front-*')] } })
  assert.notEqual(await site.shown('localhost'), site.first.fingerprint256)
  const shop = site.put('shop', { names: ['shop.test'] })
  await engine.reload()
  assert.equal(await site.shown('shop.test'), shop.fingerprint256)
  const own = site.authority.issue({ names: ['localhost', 'shop.test'] })
  writePair(dir, own)
  const { warnings } = await engine.reload()
  assert.ok(warnings.some(({ host }) => host === join(dir, 'hosts/shop')))
  assert.equal(await site.shown('shop.test'), own.fingerprint256)
  assert.notEqual(await site.shown('localhost'), own.fingerprint256)
})
