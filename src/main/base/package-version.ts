/** The version of certswap. Not read from `package.json`, which is not part of a bundle; a test compares the two. */
export const PACKAGE_VERSION = '0.1.0'
