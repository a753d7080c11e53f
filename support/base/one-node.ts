/**
 * For the option `skip` of a slow test whose subject does not depend on the version of Node: `false` on Node 20, which runs
 * first, else the reason.
 */
export const onFirstNodeOnly: string | false =
  !process.versions.node.startsWith('20.') && 'does not depend on the version of Node; it runs on Node 20'
