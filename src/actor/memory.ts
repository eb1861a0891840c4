/** What was remembered under a text, most likely what was used last; bounded in number and in the length of the texts. */
export interface Memory<T> {
  get(text: string): T | undefined
  set(text: string, value: T): void
}

/**
 * Creates an empty {@link Memory}.
 *
 * Two generations: what is not used while the younger one fills up goes with the older one. So a hit changes nothing, which
 * an exact order of use would cost more for than what is remembered here.
 */
export function createMemory<T>({ entries, characters }: { readonly entries: number; readonly characters: number }): Memory<T> {
  let young = new Map<string, T>()
  let old = new Map<string, T>()
  let length = 0
  // Comparing two texts costs less than the hash of one.
  let recent: { readonly text: string; readonly value: T } | undefined

  function set(text: string, value: T): void {
    if (!young.has(text)) length += text.length
    young.set(text, value)
    if (young.size * 2 <= entries && length * 2 <= characters) return
    old = young
    young = new Map()
    length = 0
  }

  return {
    get(text) {
      if (recent?.text === text) return recent.value
      const value = young.get(text) ?? old.get(text)
      if (value === undefined) return undefined
      if (!young.has(text)) set(text, value)
      recent = { text, value }
      return value
    },
    set(text, value) {
      recent = undefined
      set(text, value)
    }
  }
}
