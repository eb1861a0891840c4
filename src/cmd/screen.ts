/** A terminal that an output leads to. */
export interface Screen {
  /** Characters in a line. */
  readonly columns: number
  /** Whether colours are shown. */
  readonly hasColors: boolean
  /** Whether the cursor can be moved back, to overwrite a line; not on `TERM=dumb`. */
  readonly canRedraw: boolean
}

/** What decides about a screen: whether the stream is a terminal, and how wide. */
export interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
}

/** When a terminal does not tell. */
const USUAL_COLUMNS = 80

/**
 * The screen behind a stream, or nothing for a file or a pipe.
 *
 * Colours follow `NO_COLOR` (no-color.org: any value but the empty one) before `FORCE_COLOR` (`0` is no), before `TERM=dumb`.
 * `FORCE_COLOR` also makes a screen of a pipe, for pagers and logs that show colours; its lines are not cut.
 */
export function screenOf(
  { isTTY = false, columns = 0 }: Stream,
  environment: Readonly<Record<string, string | undefined>>
): Screen | undefined {
  const wish = colorWish(environment)
  const isDumb = environment['TERM'] === 'dumb'
  if (!isTTY) return wish === true ? { columns: Number.POSITIVE_INFINITY, hasColors: true, canRedraw: false } : undefined
  return { columns: columns > 0 ? columns : USUAL_COLUMNS, hasColors: wish ?? !isDumb, canRedraw: !isDumb }
}

function colorWish(environment: Readonly<Record<string, string | undefined>>): boolean | undefined {
  if ((environment['NO_COLOR'] ?? '') !== '') return false
  const forced = environment['FORCE_COLOR']
  if (forced === undefined || forced === '') return undefined
  return forced !== '0' && forced !== 'false'
}

/** How a text may be set off. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow'

const CODES: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39]
}

/** The text with the codes of a style, where the screen shows them. */
export function styled(text: string, style: Style, screen: Screen | undefined): string {
  if (screen?.hasColors !== true || text === '') return text
  const [on, off] = CODES[style]
  return `\u001b[${on}m${text}\u001b[${off}m`
}

/** Columns that a text takes on a screen; it must not hold control characters. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) {
    if (/\p{Mn}|\p{Me}|\p{Cf}/u.test(character)) continue
    width += isWide(character) ? 2 : 1
  }
  return width
}

/** The text cut to a width, with `…` as its last character when something is missing. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let kept = ''
  let used = 1
  for (const character of text) {
    used += widthOf(character)
    if (used > width) break
    kept += character
  }
  return width > 0 ? `${kept}…` : ''
}

/** The text in lines of at most `width` columns, broken at blanks; a word that is longer keeps a line of its own. */
export function wrapTo(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && widthOf(longer) > width) {
      lines.push(line)
      line = word
    } else {
      line = longer
    }
  }
  return [...lines, line]
}

/** Hangul, CJK, full-width forms and emoji take two columns. */
function isWide(character: string): boolean {
  return /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]|[\u{20000}-\u{3fffd}]/u.test(
    character
  )
}
