import type { Millis } from '../base/index.ts'
import type { LogLevel } from './level.ts'
import type { CleanFields, CleanValue } from './redact.ts'

/** One thing that happened. */
export interface LogRecord {
  readonly at: Millis
  readonly level: LogLevel
  readonly message: string
  readonly fields: CleanFields
}

/** Letters, digits and marks that need no quotes; a control character of a stranger never reaches the terminal. */
const PLAIN_VALUE = /^[\p{L}\p{N}\p{P}\p{S}]+$/u
const PLAIN_MESSAGE = /^[\p{L}\p{N}\p{P}\p{S}\p{M} ]*$/u

/** A line for people: time, level, message, `key=value`, with a line break at the end. */
export function renderConsoleLine({ at, level, message, fields }: LogRecord): string {
  const { stack_trace: _omitted, ...shown } = fields // many lines: the file has them
  const pairs = Object.entries(shown).map(([name, value]) => `${name}=${renderValue(value)}`)
  const head = `${new Date(at).toISOString()} ${level.toUpperCase().padEnd(5)}`
  return `${[head, PLAIN_MESSAGE.test(message) ? message : escapeText(message), ...pairs].join(' ')}\n`
}

function renderValue(value: CleanValue): string {
  if (typeof value !== 'string') return escapeText(value)
  return PLAIN_VALUE.test(value) && !value.includes('"') ? value : escapeText(value)
}

/** JSON, in which also C1 controls and other invisible characters are escaped. */
function escapeText(value: CleanValue): string {
  return JSON.stringify(value).replace(/[^\p{L}\p{N}\p{P}\p{S}\p{M} ]/gu, (character) =>
    [...Array(character.length).keys()].map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')
  )
}
