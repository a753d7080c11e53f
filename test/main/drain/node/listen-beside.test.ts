import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import test from 'node:test'

import { listenBeside } from '../../../../src/main/drain/node/listen-beside.js'

test('it listens only while another listener does, and is called before it', () => {
  const emitter = new EventEmitter()
  const heard: string[] = []
  const stop = listenBeside(emitter, { upgrade: () => heard.push('ours') })
  assert.equal(emitter.listenerCount('upgrade'), 0)

  const theirs = () => heard.push('theirs')
  emitter.on('upgrade', theirs)
  emitter.emit('upgrade')
  assert.deepEqual(heard, ['ours', 'theirs'])

  emitter.off('upgrade', theirs)
  assert.equal(emitter.listenerCount('upgrade'), 0)
  stop()
  assert.deepEqual(emitter.eventNames(), [])
})

test('it joins an existing listener at once', () => {
  const emitter = new EventEmitter()
  const heard: string[] = []
  emitter.on('request', () => heard.push('theirs'))
  listenBeside(emitter, { request: () => heard.push('ours') })
  emitter.emit('request')

  assert.deepEqual(heard, ['ours', 'theirs'])
})

test('it leaves with a one-time listener', () => {
  const emitter = new EventEmitter()
  const heard: string[] = []
  listenBeside(emitter, { request: () => heard.push('ours') })
  emitter.once('request', () => heard.push('theirs'))
  emitter.emit('request')

  assert.deepEqual(heard, ['ours', 'theirs'])
  assert.equal(emitter.listenerCount('request'), 0)
})

test('if an application takes over the listeners and calls them itself, it is called at most twice, and never after the end', () => {
  const emitter = new EventEmitter()
  const heard: string[] = []
  emitter.on('request', () => heard.push('theirs'))
  const stop = listenBeside(emitter, { request: () => heard.push('ours') })
  const taken = emitter.listeners('request')
  emitter.removeAllListeners('request')
  emitter.on('request', () => {
    for (const listener of taken) listener()
  })
  emitter.emit('request')
  assert.deepEqual(heard, ['ours', 'ours', 'theirs'])

  stop()
  heard.length = 0
  emitter.emit('request')
  assert.deepEqual(heard, ['theirs'])
})

test('it joins restored listeners only once', () => {
  const emitter = new EventEmitter()
  const heard: string[] = []
  const theirs = () => heard.push('theirs')
  emitter.on('request', theirs)
  const stop = listenBeside(emitter, { request: () => heard.push('ours') })
  const taken = emitter.rawListeners('request') as (() => void)[]
  emitter.removeAllListeners('request')
  for (const listener of taken) emitter.on('request', listener)
  emitter.emit('request')

  assert.deepEqual(heard, ['ours', 'theirs'])
  stop()
  assert.deepEqual(emitter.listeners('request'), [theirs])
})
