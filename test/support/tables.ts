/** What architecture.cjs exports. */
export interface Architecture {
  readonly modules: Readonly<Record<string, readonly string[]>>
  readonly dms: Readonly<Record<string, readonly string[]>>
  readonly drivers: readonly string[]
  readonly packages: Readonly<Record<string, string>>
}

/** The header that opens a module's index.ts. */
export interface Header {
  readonly name: string
  readonly sentence: string
  readonly imports: readonly string[]
  readonly state: string
}

/** Reads `name: sentence.`, `Imports: a, b.` and `State: …` from the comment at the very start of a file. */
export function parseHeader(source: string): Header | undefined {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(source)?.[1]
  if (comment === undefined) return undefined
  const text = comment.replace(/^ *\* ?/gm, '').trim()
  const parts = /^([a-z]+): ([\s\S]+?)\n\s*Imports: ([^.]+)\.\s*State: ([\s\S]+)$/.exec(text)
  if (parts === null) return undefined
  const [, name = '', sentence = '', imports = '', state = ''] = parts
  return { name, sentence: sentence.trim(), imports: imports === 'nothing' ? [] : imports.split(/,\s*/), state: state.trim() }
}

/** The names in backticks that open the table rows of a Markdown text, or of its section with the given heading. */
export function tableNames(markdown: string, heading?: string): string[] {
  const section = heading === undefined ? markdown : sectionOf(markdown, heading)
  return [...section.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, name = '']) => name)
}

function sectionOf(markdown: string, heading: string): string {
  const sections = markdown.split(/^#+ /m)
  return sections.find((section) => section.startsWith(`${heading}\n`)) ?? ''
}
