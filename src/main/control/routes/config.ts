import { z } from 'zod'

import type { ReloadEngine } from '../../engine.js'
import { ReloadError } from '../../errors.js'
import { RequestProblem } from '../problem-document.js'
import type { Route } from '../route.js'

const bodySchema = z.strictObject({ auto_reload_interval: z.number() })

/** `PATCH /config`: settings at run time, all of the request or none. */
export function configRoute(engine: ReloadEngine): Route {
  return {
    method: 'PATCH',
    path: '/config',
    flags: [],
    takesBody: true,
    statuses: [200, 415, 422],
    handle({ body }) {
      const parsed = bodySchema.safeParse(body)
      if (!parsed.success) throw refusal(parsed.error.issues)
      const { auto_reload_interval } = parsed.data
      try {
        engine.autoReloadInterval = auto_reload_interval
      } catch (error) {
        if (!(error instanceof ReloadError) || error.code !== 'OPTIONS_INVALID') throw error
        throw new RequestProblem('invalid-config', error.message, { code: error.code })
      }
      return {
        status: 200,
        json: { auto_reload_interval },
        text: `auto_reload_interval is ${auto_reload_interval} s`,
      }
    },
  }
}

function refusal(issues: readonly z.core.$ZodIssue[]): RequestProblem {
  const errors = issues.map((issue) => ({
    code: 'OPTIONS_INVALID',
    detail: issue.message,
    pointer: `#/${issue.path.map(String).join('/')}`,
  }))
  const detail = errors.map((error) => `${error.pointer}: ${error.detail}`).join('; ')
  return new RequestProblem('invalid-config', `${detail}; nothing was changed`, {
    code: 'OPTIONS_INVALID',
    errors,
  })
}
