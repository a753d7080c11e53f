/** Maximum length of a DNS name as text (RFC 1035, section 2.3.4). */
const LONGEST = 253

/**
 * Whether a lower-case name is valid in the server_name extension (RFC 6066, section 3): not an address or a wildcard.
 */
export function isServerName(name: string): boolean {
  if (name.length > LONGEST || !/^[a-z0-9.-]+$/.test(name)) return false
  return /[a-z]/.test(name.slice(name.lastIndexOf('.') + 1))
}
