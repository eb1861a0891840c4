import type { Chance } from './chance.ts'
import { copyTree, type JsonNode, leaf, readTree, type Slot, slotsOf, writeTree } from './json-tree.ts'
import { mutateText } from './mutate-text.ts'

/** Numbers at the limits of the types that read them, and spellings of integers that are not integers. */
const NUMBERS: readonly string[] = [
  '0',
  '-0',
  '1',
  '-1',
  '1.0',
  '1e3',
  '1E400',
  '0.5',
  '5e-324',
  '65536',
  '2147483648',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '18446744073709551615',
  '18446744073709551616',
  '4102444800000000001',
  '1'.repeat(401),
  '01',
  '+1',
  'NaN',
  'Infinity'
]

/** Values of the wrong type. */
const VALUES: readonly string[] = ['null', 'true', 'false', '[]', '{}', '""', '[null]', '{"uri":null}', '[[]]']

const TEXTS: readonly string[] = [
  '',
  ' ',
  '/',
  '//',
  '/..',
  'x'.repeat(300),
  'x'.repeat(20_000),
  '\u0000',
  '\n',
  '\u007f\u0085',
  '\u2028\u2029',
  '<script>&"\\',
  '\ud800',
  'a\udc00b',
  '😀é',
  '__proto__',
  'constructor',
  'did:key:z',
  'did:x:y',
  'delegate',
  'invoke',
  'revoke',
  'broadcast'
]

const NAMES: readonly string[] = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', '', '0', 'x', '\u0000']

type Mutation = (tree: Tree, chance: Chance, others: readonly JsonNode[]) => void

interface Tree {
  root: JsonNode
}

const MUTATIONS: readonly Mutation[] = [
  removeChild,
  duplicateChild,
  reorder,
  rename,
  replaceValue,
  replaceValue,
  changeText,
  changeText,
  changeNumber,
  changeBase64,
  nest,
  multiply,
  exchange,
  graft
]

/**
 * Changes a JSON text at one to four places by its structure: members removed, repeated, reordered, renamed, values of other
 * types, numbers at their limits, texts of every kind, other spellings of base64, deep nesting, parts of `others`.
 */
export function mutateJson(text: string, chance: Chance, others: readonly string[] = []): string {
  const root = readTree(text)
  if (root === undefined) return mutateText(text, chance, others)
  const tree: Tree = { root }
  const otherTrees = others.length === 0 ? [] : [readTree(chance.pick(others))].filter((other) => other !== undefined)
  const rounds = chance.oneIn(2) ? 1 : 1 + chance.int(4)
  for (let round = 0; round < rounds; round += 1) chance.pick(MUTATIONS)(tree, chance, otherTrees)
  return writeTree(tree.root, chance.oneIn(16) ? chance.pick([' ', '\n\t', '\r\n', '\u00a0', '\ufeff']) : '')
}

function slots(tree: Tree): readonly Slot[] {
  return slotsOf(tree.root, (node) => {
    tree.root = node
  })
}

function anySlot(tree: Tree, chance: Chance): Slot {
  return chance.pick(slots(tree))
}

/** The lists of the children of all objects and lists that have some. */
function childLists(tree: Tree): readonly unknown[][] {
  return slots(tree)
    .map(({ node }): unknown[] => (node.kind === 'object' ? node.members : node.kind === 'list' ? node.items : []))
    .filter((children) => children.length > 0)
}

function removeChild(tree: Tree, chance: Chance): void {
  const lists = childLists(tree)
  if (lists.length === 0) return
  const children = chance.pick(lists)
  children.splice(chance.int(children.length), 1)
}

function duplicateChild(tree: Tree, chance: Chance): void {
  const { node } = anySlot(tree, chance)
  if (node.kind === 'object' && node.members.length > 0) {
    const { name, value } = chance.pick(node.members)
    node.members.splice(chance.int(node.members.length + 1), 0, { name, value: copyTree(value) })
  } else if (node.kind === 'list' && node.items.length > 0) {
    node.items.splice(chance.int(node.items.length + 1), 0, copyTree(chance.pick(node.items)))
  }
}

function reorder(tree: Tree, chance: Chance): void {
  const lists = childLists(tree)
  if (lists.length === 0) return
  const children = chance.pick(lists)
  children.push(...children.splice(0, chance.int(children.length)))
}

function rename(tree: Tree, chance: Chance): void {
  const objects = slots(tree).flatMap(({ node }) => (node.kind === 'object' && node.members.length > 0 ? [node.members] : []))
  if (objects.length === 0) return
  const member = chance.pick(chance.pick(objects))
  const { name } = member
  const choice = chance.int(5)
  if (choice === 0) member.name = name.toUpperCase()
  else if (choice === 1) member.name = name.charAt(0).toUpperCase() + name.slice(1)
  else if (choice === 2) member.name = chance.pick(NAMES)
  else if (choice === 3) member.name = chance.pick(chance.pick(objects)).name
  else member.name = mutateText(name, chance)
}

function replaceValue(tree: Tree, chance: Chance): void {
  const source = chance.int(3)
  const text = (): string => JSON.stringify(chance.pick(TEXTS))
  anySlot(tree, chance).set(leaf(source === 0 ? chance.pick(VALUES) : source === 1 ? chance.pick(NUMBERS) : text()))
}

function changeText(tree: Tree, chance: Chance): void {
  changeLeaf(tree, chance, '"', (source) => {
    const text = readText(source)
    const changed = chance.oneIn(8) ? text + chance.pick(TEXTS) : mutateText(text, chance)
    return chance.oneIn(8) ? escapeAll(text) : JSON.stringify(changed)
  })
}

function changeNumber(tree: Tree, chance: Chance): void {
  changeLeaf(tree, chance, '-0123456789', (source) => {
    if (chance.oneIn(2) || !/^-?\d+$/.test(source)) return chance.pick(NUMBERS)
    const value = BigInt(source)
    return String(chance.pick([value + 1n, value - 1n, -value, value * 2n, value + 2n ** 64n, value ^ 1n]))
  })
}

/** Other spellings of the same bytes: without padding, with more, in the other alphabet, with spaces or spare bits. */
function changeBase64(tree: Tree, chance: Chance): void {
  changeLeaf(tree, chance, '"', (source) => {
    const text = readText(source)
    const spellings = [
      text.replace(/=+$/, ''),
      `${text}=`,
      `${text}====`,
      text.replaceAll('+', '-').replaceAll('/', '_'),
      `${text.slice(0, 4)}\n${text.slice(4)}`,
      ` ${text}`,
      text.replace(/.(=*)$/, (_, padding: string) => `B${padding}`),
      Buffer.from(text, 'base64').toString('hex')
    ]
    return JSON.stringify(chance.pick(spellings))
  })
}

function nest(tree: Tree, chance: Chance): void {
  const slot = anySlot(tree, chance)
  const levels = chance.pick([1, 2, 16, 63, 64, 65, 100, 5000])
  const [open, close] = chance.oneIn(2) ? ['[', ']'] : ['{"a":', '}']
  slot.set(leaf(open.repeat(levels) + writeTree(slot.node) + close.repeat(levels)))
}

/** Many copies of an item of a list. */
function multiply(tree: Tree, chance: Chance): void {
  const lists = slots(tree).flatMap(({ node }) => (node.kind === 'list' && node.items.length > 0 ? [node.items] : []))
  if (lists.length === 0) return
  const items = chance.pick(lists)
  const item = chance.pick(items)
  const count = chance.pick([2, 16, 63, 64, 65])
  for (let copy = 0; copy < count; copy += 1) items.push(copyTree(item))
}

function exchange(tree: Tree, chance: Chance): void {
  const [a, b] = [anySlot(tree, chance), anySlot(tree, chance)]
  const [copyOfA, copyOfB] = [copyTree(a.node), copyTree(b.node)]
  a.set(copyOfB)
  b.set(copyOfA)
}

/** A part of another input, preferably where the same member stands. */
function graft(tree: Tree, chance: Chance, others: readonly JsonNode[]): void {
  const [other] = others
  if (other === undefined) return
  const slot = anySlot(tree, chance)
  const candidates = slotsOf(other, () => undefined)
  const sameName = candidates.filter(({ name }) => name === slot.name)
  slot.set(copyTree(chance.pick(sameName.length > 0 && !chance.oneIn(4) ? sameName : candidates).node))
}

function changeLeaf(tree: Tree, chance: Chance, begins: string, change: (source: string) => string): void {
  const leaves = slots(tree).filter(({ node }) => node.kind === 'leaf' && begins.includes(node.source.charAt(0) || ' '))
  if (leaves.length === 0) return
  const slot = chance.pick(leaves)
  if (slot.node.kind === 'leaf') slot.set(leaf(change(slot.node.source)))
}

/** The text that a leaf stands for; the source itself once mutations have broken it. */
function readText(source: string): string {
  try {
    const value: unknown = JSON.parse(source)
    return typeof value === 'string' ? value : source
  } catch {
    return source // broken by an earlier mutation, and as good an input as any
  }
}

/** The same text with every character as `\uXXXX`. */
function escapeAll(text: string): string {
  const codes = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index).toString(16).padStart(4, '0'))
  return codes.length === 0 ? '""' : `"\\u${codes.join('\\u')}"`
}
