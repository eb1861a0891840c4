import type { Chance } from './chance.ts'

/** Texts longer than this are not made longer. */
const MAX_LENGTH = 65_536

/** Characters that parsers treat specially, and such that change their size or meaning when they are encoded. */
const SPECIAL: readonly string[] = [
  ...'{}[]":,\\/+-.0123456789eE=%&<> \t\n\r\0\u007f',
  '\u2028',
  '\u2029',
  '\ufeff',
  '\ufffd',
  '\ud800',
  '\udfff',
  'é',
  '😀',
  '\\u0000',
  '\\ud800',
  '\\u003c',
  'null',
  'true',
  '__proto__',
  'constructor',
  '1e3',
  '9007199254740993',
  '18446744073709551616',
  '-1',
  '..'
]

type Mutation = (text: string, chance: Chance, others: readonly string[]) => string

const MUTATIONS: readonly Mutation[] = [flipBit, flipBit, insert, insert, replace, remove, duplicate, swap, splice, truncate]

/** Changes a text at one to eight places as its characters; `others` are inputs of which parts are taken over. */
export function mutateText(text: string, chance: Chance, others: readonly string[] = []): string {
  let mutated = text
  const rounds = chance.oneIn(2) ? 1 : 1 + chance.int(8)
  for (let round = 0; round < rounds; round += 1) mutated = chance.pick(MUTATIONS)(mutated, chance, others)
  return mutated
}

function flipBit(text: string, chance: Chance): string {
  if (text === '') return text
  const at = chance.int(text.length)
  const bit = chance.oneIn(8) ? chance.int(16) : chance.int(7)
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << bit)) + text.slice(at + 1)
}

function insert(text: string, chance: Chance): string {
  if (text.length > MAX_LENGTH) return text
  const at = chance.int(text.length + 1)
  return text.slice(0, at) + chance.pick(SPECIAL) + text.slice(at)
}

function replace(text: string, chance: Chance): string {
  if (text === '') return text
  const at = chance.int(text.length)
  return text.slice(0, at) + chance.pick(SPECIAL) + text.slice(at + 1)
}

function remove(text: string, chance: Chance): string {
  const { from, to } = range(text, chance)
  return text.slice(0, from) + text.slice(to)
}

function duplicate(text: string, chance: Chance): string {
  if (text.length > MAX_LENGTH) return text
  const { from, to } = range(text, chance)
  const times = chance.oneIn(20) ? 200 : 1
  return text.slice(0, to) + text.slice(from, to).repeat(times) + text.slice(to)
}

function swap(text: string, chance: Chance): string {
  const { from, to } = range(text, chance)
  const at = chance.int(from + 1)
  return text.slice(0, at) + text.slice(from, to) + text.slice(at, from) + text.slice(to)
}

/** The head of one input and the tail of another, or a part of another in the middle. */
function splice(text: string, chance: Chance, others: readonly string[]): string {
  if (others.length === 0 || text.length > MAX_LENGTH) return text
  const other = chance.pick(others)
  const { from, to } = range(other, chance)
  const at = chance.int(text.length + 1)
  return chance.oneIn(2) ? text.slice(0, at) + other.slice(from) : text.slice(0, at) + other.slice(from, to) + text.slice(at)
}

function truncate(text: string, chance: Chance): string {
  return chance.oneIn(2) ? text.slice(0, chance.int(text.length + 1)) : text.slice(chance.int(text.length + 1))
}

function range(text: string, chance: Chance): { readonly from: number; readonly to: number } {
  const from = chance.int(text.length + 1)
  const longest = chance.oneIn(4) ? text.length : 16
  return { from, to: Math.min(text.length, from + 1 + chance.int(longest + 1)) }
}
