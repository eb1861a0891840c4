/** A term and what it means, for a list of them. */
export type Entry = readonly [term: string, text: string]

/** What stands at the head of every manual page. */
export interface PageTitle {
  /** In lower case: `nunet-key`. */
  readonly name: string
  readonly section: number
  /** What the program calls itself, with its version. */
  readonly source: string
  /** When it was made, `2026-01-31`; empty for unknown. Hyphens stay hyphens: it is read by programs. */
  readonly date: string
  readonly manual: string
}

/** The first line of a page in the `man` macros of roff. */
export function title({ name, section, source, date, manual }: PageTitle): string {
  return `.TH ${quote(name.toUpperCase())} ${section} "${date}" ${quote(source)} ${quote(manual)}\n.ad l\n`
}

/** A section with its heading; nothing when its body is empty. */
export function section(heading: string, ...body: readonly string[]): string {
  const text = body.join('').replace(/^\.PP\n/, '')
  return text === '' ? '' : `.SH ${quote(heading.toUpperCase())}\n${text}`
}

/** A part of a section. */
export function subsection(heading: string, ...body: readonly string[]): string {
  return `.SS ${quote(heading)}\n${body.join('').replace(/^\.PP\n/, '')}`
}

/** Paragraphs of plain text; text in backquotes is set bold. */
export function paragraphs(...texts: readonly string[]): string {
  return texts
    .filter((text) => text !== '')
    .map((text) => `.PP\n${line(text)}\n`)
    .join('')
}

/** A line as it is typed. */
export function synopsis(text: string): string {
  return `.PP\n\\fB${escapeText(text, '\\-')}\\fR\n`
}

/** Lines as they are typed, unfilled and indented. */
export function example(lines: readonly string[]): string {
  return lines.length === 0
    ? ''
    : `.PP\n.RS 4\n.nf\n${lines.map((text) => guard(escapeText(text, '\\-'))).join('\n')}\n.fi\n.RE\n`
}

/** Terms, each with its text below it. */
export function entries(list: readonly Entry[]): string {
  return list.map(([term, text]) => `.TP\n\\fB${escapeText(term, '\\-')}\\fR\n${line(text)}\n`).join('')
}

function line(text: string): string {
  return guard(escapeText(text, '-').replace(/`([^`]*)`/g, (_, code: string) => `\\fB${code.replaceAll('-', '\\-')}\\fR`))
}

/** A line that begins with a dot or an apostrophe would be a request. */
function guard(text: string): string {
  return /^[.']/.test(text) ? `\\&${text}` : text
}

/** Hyphens of prose may be broken at, those of code must stay what they are when copied. */
function escapeText(text: string, hyphen: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', hyphen)
    .replace(/\s+/g, ' ')
    .replace(/[^ -~]/gu, (character) => `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`)
}

function quote(text: string): string {
  return `"${escapeText(text, '\\-').replaceAll('"', '\\(dq')}"`
}
