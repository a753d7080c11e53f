import assert from 'node:assert/strict'
import { test } from 'node:test'

import { permitsUriHost } from '../../../src/workers/formats/name-constraints.js'
import { createAuthority } from '../../../support/material/certificates.js'
import { constructed, primitive, sequence } from '../../../support/material/der.js'
import { extension } from '../../../support/material/extensions.js'

const NAME_CONSTRAINTS = '2.5.29.30'

test('a CA permits the hosts of its URI constraints, and all hosts without any', () => {
  const permits = (permittedUris: string[], host: string) =>
    permitsUriHost(createAuthority({ permittedUris }).certDer, host)
  assert.equal(permits([], 'a.test'), true)
  assert.equal(permits(['a.test'], 'a.test'), true)
  assert.equal(permits(['A.Test'], 'a.test'), true)
  assert.equal(permits(['a.test'], 'x.a.test'), false)
  assert.equal(permits(['a.test', 'b.test'], 'b.test'), true)
  assert.equal(permits(['.a.test'], 'x.y.a.test'), true)
  assert.equal(permits(['.a.test'], 'a.test'), false)
  assert.equal(permits(['.a.test'], 'xa.test'), false)
  assert.equal(permits([''], 'a.test'), false)
  const dnsOnly = createAuthority({ permitted: ['a.test'] }).certDer
  assert.equal(permitsUriHost(dnsOnly, 'b.test'), true)
})

test('an excluded host is refused even if it is permitted', () => {
  const excluded = constrainedBy(lists(0, '.test'), lists(1, 'b.test'))
  assert.equal(permitsUriHost(excluded, 'a.test'), true)
  assert.equal(permitsUriHost(excluded, 'b.test'), false)
})

test('constraints that cannot be read, or have a minimum, permit nothing', () => {
  const minimum = constructed(0, sequence(uri('a.test'), primitive(0, Buffer.of(1))))
  const otherList = lists(2, 'a.test')
  for (const broken of [minimum, otherList, primitive(0, Buffer.of(1, 2, 3))])
    assert.throws(() => permitsUriHost(constrainedBy(broken), 'a.test'), RangeError)
})

function lists(tag: number, host: string): Buffer {
  return constructed(tag, sequence(uri(host)))
}

function uri(host: string): Buffer {
  return primitive(6, Buffer.from(host))
}

function constrainedBy(...parts: Buffer[]): Buffer {
  return createAuthority({ extensions: [extension(NAME_CONSTRAINTS, sequence(...parts), true)] }).certDer
}
