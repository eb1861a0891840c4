/**
 * Splits one CSV record as pflag's string slices do (A §12): `/a,/b` is two, `"a,b"` is one, `""` inside quotes is a quote.
 *
 * @returns Nothing when a quote is not closed or stands inside of a plain value; no values for the empty text.
 */
export function splitCsv(text: string): readonly string[] | undefined {
  if (text === '') return []
  const values: string[] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y
  for (;;) {
    const match = field.exec(text)
    if (match === null) return undefined
    const [, quoted, plain = '', separator] = match
    values.push(quoted?.replaceAll('""', '"') ?? plain)
    if (separator === '') return values
    if (field.lastIndex === text.length) return [...values, '']
  }
}
