import './poison-hook.cjs'

export * from '../../../src/workers/prepare.js'
