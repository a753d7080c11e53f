import { z } from 'zod'

import { ReloadError } from '../../base/errors.js'
import { refusal, WORDED } from '../../base/refusal.js'
import type { Subject } from './keys.js'
import { nameSchema } from './option-schemas.js'

/** The name of an identity, or an SNI host. */
export type PublishTarget = string | { readonly host: string }

const hostSchema = z.strictObject({ host: nameSchema })

/** @throws ReloadError `OPTIONS_INVALID` */
export function subjectOf(target: PublishTarget): Subject {
  const schema = typeof target === 'string' ? nameSchema : hostSchema
  const parsed = schema.safeParse(target, WORDED)
  if (!parsed.success) {
    throw new ReloadError(
      'OPTIONS_INVALID',
      `certswap/redis: ${refusal(parsed.error.issues, target, 'target')}`,
    )
  }
  return typeof target === 'string' ? { kind: 'identity', name: target } : { kind: 'host', name: target.host }
}
