import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'

import { adviceFor } from '../../src/main/base/advice.js'
import { problemLine } from '../../src/main/cli/client/report.js'
import { problemView } from '../../src/main/control/views.js'
import { prepareHere, taskFor } from '../worker/tasks-here.js'
import { certswap } from './program.js'

/** The output of `certswap check` for files that cannot be served. */
export interface Finding {
  /** `CODE: message`. */
  readonly problem: string
  /** The command in the message. */
  readonly command: string
}

/** The only problem of the files, as printed by `certswap check`, and its line of advice. */
export async function problemOf(options: Parameters<typeof taskFor>[0]): Promise<Finding> {
  const reply = await prepareHere(taskFor(options))
  const problems = reply.kind === 'refused' ? reply.problems : []
  assert.equal(problems.length, 1, JSON.stringify(reply))
  const [line = ''] = problems.map((problem) => problemLine(problemView(problem)))
  const actions = adviceFor(problems.map(({ code }) => code))
  for (const one of [line, ...actions]) assert.doesNotMatch(one, /\n/)
  assert.equal(actions.length, 1)
  return findingIn(`problem ${line}`)
}

/** The same finding from the program, which must print one line each. */
export async function checkedProblem(args: readonly string[], cwd: string): Promise<Finding> {
  const { code, stdout, stderr } = await certswap(['check', ...args], { cwd })
  assert.notEqual(code, 0, stdout)
  assert.match(stdout, /^problem +.*\n$/, 'the problem is not one line')
  assert.match(
    stderr,
    /^certswap: these files cannot be served\ncertswap: .{8,160}\n$/,
    'the action is not one line',
  )
  return findingIn(stdout)
}

/** The command in a line of `certswap check`. */
export function findingIn(line: string): Finding {
  const problem = line.trim().replace(/^\w+ +/, '')
  const command = /(?:with|for|in place with)?: ((?:openssl|iconv|keytool|ssh-keygen|base64) .*?)\)?$/.exec(
    problem,
  )
  assert.ok(command, `no command: ${problem}`)
  return { problem, command: command[1] as string }
}

/**
 * Runs a command line in a shell without a terminal, so that programs read passphrases from their input; each program of the
 * line gets the same one. It must succeed.
 */
export function run(command: string, cwd: string, input = ''): string {
  return command
    .split(' && ')
    .map((part) => {
      const { status, stdout, stderr } = spawnSync('setsid', ['--wait', 'sh', '-c', part], {
        ...{ cwd, input, encoding: 'utf8' },
      })
      assert.equal(status, 0, `${part}: ${stderr}`)
      return stdout
    })
    .join('')
}

/** Asserts that the files can be served. */
export async function assertServes(options: Parameters<typeof taskFor>[0]): Promise<void> {
  const reply = await prepareHere(taskFor(options))
  assert.equal(reply.kind, 'prepared', JSON.stringify(reply))
}
