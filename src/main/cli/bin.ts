#!/usr/bin/env node
import { runProgram } from './program.js'
import { guardStandardStreams } from './standard-streams.js'

// `serve` has its own way to standard output: Node's streams make a pipe non-blocking for every process that shares it.
if (process.argv[2] !== 'serve') guardStandardStreams()
process.exitCode = await runProgram(process.argv)
