/** Quotes any text as one word for a Bourne shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
