/** `EC` of `EC prime256v1`. */
export function keyFamilyOf(keyType: string): string {
  const end = keyType.indexOf(' ')
  return end < 0 ? keyType : keyType.slice(0, end)
}
