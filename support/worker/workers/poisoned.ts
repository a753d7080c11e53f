import './poison-hook.cjs'

export * from '../../../src/workers/tasks.js'
