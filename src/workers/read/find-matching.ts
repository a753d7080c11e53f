import { lstatSync, readdirSync, statSync } from 'node:fs'

import fastGlob from 'fast-glob'

import { type Problem, ProblemError } from '../base/problem.js'
import { markTouched } from '../progress/progress.js'

/** Matches of a pattern, and the places that could not be examined. */
export interface Matches {
  readonly paths: readonly string[]
  /** Problems of places at which a thread was lost: `paths` lacks their content. */
  readonly unseen: readonly Problem[]
}

/**
 * The matches of a fast-glob pattern. Each directory and link is marked before it is touched, and one at which a thread
 * hangs is skipped.
 */
export function findMatching(pattern: string, options: fastGlob.Options): Matches {
  const unseen = new Map<string | undefined, Problem>()
  const reach = (path: string) => {
    try {
      markTouched(path)
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      unseen.set(error.problem.path, error.problem)
      // fast-glob skips missing paths.
      throw Object.assign(new Error('not touched'), { code: 'ENOENT' })
    }
  }
  const marked = <Rest extends unknown[], T>(call: (path: string, ...rest: Rest) => T) => {
    return (path: string, ...rest: Rest): T => {
      reach(path)
      return call(path, ...rest)
    }
  }
  const fs = {
    lstatSync: marked(lstatSync),
    statSync: marked(statSync),
    readdirSync: marked(readdirSync as (path: string, options: object) => unknown),
  } as unknown as Partial<fastGlob.FileSystemAdapter>
  return { paths: fastGlob.sync(pattern, { ...options, fs }), unseen: [...unseen.values()] }
}
