import assert from 'node:assert/strict'
import test from 'node:test'

import { alternativeService, redirectProblem } from '../../../src/main/drain/redirect.js'

test('https and wss URIs are valid redirects, with ports, paths and queries', () => {
  for (const uri of [
    'https://a.example',
    'https://a.example:8443/x?y=z#w',
    'wss://[::1]:1/',
    'https://x/%20',
  ]) {
    assert.equal(redirectProblem(uri), null, uri)
  }
})

test('a redirect that could mislead clients, or break out of a header, is refused', () => {
  const refused = [
    ['', /ASCII/],
    ['http://a.example/', /`https:` or `wss:`/],
    ['ws://a.example/', /`https:` or `wss:`/],
    ['javascript:alert(1)', /`https:` or `wss:`/],
    ['/relative', /absolute/],
    ['https://', /absolute/],
    ['https://user:secret@a.example/', /no user name/],
    ['https://user@a.example/', /no user name/],
    ['https://a.example/\r\nset-cookie: a=b', /ASCII/],
    ['https://a.example/ x', /ASCII/],
    ['https://a.example/\u0000', /ASCII/],
    ['https://ä.example/', /ASCII/],
  ] as const
  for (const [uri, expected] of refused) assert.match(redirectProblem(uri) ?? 'none', expected, uri)
})

test('a redirect has at most 8192 bytes', () => {
  const base = 'https://a.example/'
  assert.equal(redirectProblem(base + 'x'.repeat(8192 - base.length)), null)
  assert.match(redirectProblem(base + 'x'.repeat(8193 - base.length)) ?? 'none', /8192 bytes/)
})

test('Alt-Svc has host and port of https URIs only', () => {
  assert.equal(alternativeService('https://a.example/path', 'h2'), 'h2="a.example:443"; ma=60')
  assert.equal(
    alternativeService('https://[::1]:8443', 'h2', 'http/1.1'),
    'h2="[::1]:8443", http%2F1.1="[::1]:8443"; ma=60',
  )
  assert.equal(alternativeService('wss://a.example/', 'h2'), null)
  assert.equal(alternativeService(undefined, 'h2'), null)
})
