import { type ProblemCode, ProblemError } from '../base/problem.js'

/** An intact certificate that cannot be a trust anchor; other anchors of its file are unaffected. */
export class BrokenAnchor extends ProblemError {
  /**
   * Whether OpenSSL would trust more through it than through a root: a peer with this certificate, or without its
   * issuer.
   */
  readonly widensTrust: boolean

  constructor(code: ProblemCode, message: string, path: string, widensTrust: boolean) {
    super(code, message, path)
    this.widensTrust = widensTrust
  }
}
