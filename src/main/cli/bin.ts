#!/usr/bin/env node
import { runProgram } from './program.js'
import { guardStandardStreams } from './standard-streams.js'

// `serve` does not write to Node's streams, which make a pipe non-blocking for every process that shares it.
if (process.argv[2] !== 'serve') guardStandardStreams()
process.exitCode = await runProgram(process.argv)
