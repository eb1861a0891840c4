import type { JsonValue } from '../base/index.ts'
import type { Io } from './io.ts'

/** Writes a note, a warning or a question for people; results go to stdout instead. */
export async function note(io: Io, text: string): Promise<void> {
  await io.stderr.write(`${oneLine(text)}\n`)
}

/** Writes one line of result. */
export async function printLine(io: Io, text: string): Promise<void> {
  await io.stdout.write(`${text}\n`)
}

/** Writes JSON as a result; integers of any size are exact. */
export async function printJson(io: Io, value: JsonValue, indent = 2): Promise<void> {
  await io.stdout.write(`${formatJson(value, indent)}\n`)
}

/** JSON with line breaks and `indent` spaces per level. Control characters of texts are escaped: they may come from strangers. */
export function formatJson(value: JsonValue, indent = 2, level = 0): string {
  const inner = ' '.repeat(indent * (level + 1))
  const wrap = (open: string, items: readonly string[], close: string): string =>
    items.length === 0
      ? open + close
      : `${open}\n${items.map((item) => inner + item).join(',\n')}\n${' '.repeat(indent * level)}${close}`
  if (typeof value === 'string') return quote(value)
  if (value === null || typeof value !== 'object') return String(value)
  if (isList(value)) {
    return wrap(
      '[',
      value.map((item) => formatJson(item, indent, level + 1)),
      ']'
    )
  }
  const members = Object.entries(value).map(([name, member]) => `${quote(name)}: ${formatJson(member, indent, level + 1)}`)
  return wrap('{', members, '}')
}

/** A text without line breaks and other control characters, which could forge lines, drive the terminal or turn its text around. */
export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, escapeCharacter)
}

function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, escapeCharacter)
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}
