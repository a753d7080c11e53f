/**
 * For the option `skip` of a test whose subject does not depend on the version of Node and that takes seconds: `false` on
 * Node 20, which runs first, else the reason.
 */
export const onFirstNodeOnly: string | false =
  !process.versions.node.startsWith('20.') && 'does not depend on the version of Node; it runs on Node 20'
