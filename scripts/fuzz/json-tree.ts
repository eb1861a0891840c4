import { isJsonObject, type JsonValue, parseJson } from '../../src/base/index.ts'

/** JSON as it is written: members may repeat, numbers and texts keep their spelling. Changed in place by the mutations. */
export type JsonNode = JsonObjectNode | JsonListNode | JsonLeaf

/** An object with its members in order. */
export interface JsonObjectNode {
  readonly kind: 'object'
  members: { name: string; value: JsonNode }[]
}

/** A list. */
export interface JsonListNode {
  readonly kind: 'list'
  items: JsonNode[]
}

/** Whatever stands alone, as its source text; the mutations also put texts there that are no JSON. */
export interface JsonLeaf {
  readonly kind: 'leaf'
  source: string
}

/** A place in a tree that holds a node. */
export interface Slot {
  readonly node: JsonNode
  /** The name of the member; `''` in lists and at the top. */
  readonly name: string
  set(node: JsonNode): void
}

/** A fresh tree of a text, or nothing when it is not JSON that `parseJson` reads. */
export function readTree(text: string): JsonNode | undefined {
  const parsed = parseJson(text)
  return parsed.ok ? treeOf(parsed.value) : undefined
}

/** The tree of a value. */
export function treeOf(value: JsonValue): JsonNode {
  if (Array.isArray(value)) return { kind: 'list', items: (value as readonly JsonValue[]).map(treeOf) }
  if (isJsonObject(value)) {
    return { kind: 'object', members: Object.entries(value).map(([name, member]) => ({ name, value: treeOf(member) })) }
  }
  return leaf(typeof value === 'bigint' ? String(value) : JSON.stringify(value))
}

/** A leaf of this source text. */
export function leaf(source: string): JsonLeaf {
  return { kind: 'leaf', source }
}

/** A tree of its own with the same content. */
export function copyTree(node: JsonNode): JsonNode {
  switch (node.kind) {
    case 'object':
      return { kind: 'object', members: node.members.map(({ name, value }) => ({ name, value: copyTree(value) })) }
    case 'list':
      return { kind: 'list', items: node.items.map(copyTree) }
    case 'leaf':
      return leaf(node.source)
  }
}

/** The text of a tree; `space` is written between all of its parts. */
export function writeTree(node: JsonNode, space = ''): string {
  const write = (child: JsonNode): string => writeTree(child, space)
  switch (node.kind) {
    case 'object':
      return `{${space}${node.members.map(({ name, value }) => `${JSON.stringify(name)}:${space}${write(value)}`).join(`,${space}`)}}`
    case 'list':
      return `[${space}${node.items.map(write).join(`,${space}`)}]`
    case 'leaf':
      return node.source
  }
}

/** Every place of a tree, the top first. */
export function slotsOf(root: JsonNode, setRoot: (node: JsonNode) => void): readonly Slot[] {
  const slots: Slot[] = []
  const pending: Slot[] = [{ node: root, name: '', set: setRoot }]
  for (let slot = pending.pop(); slot !== undefined; slot = pending.pop()) {
    slots.push(slot)
    const { node } = slot
    if (node.kind === 'object') {
      for (const member of node.members) {
        pending.push({ node: member.value, name: member.name, set: (child) => void Object.assign(member, { value: child }) })
      }
    } else if (node.kind === 'list') {
      node.items.forEach((item, index) => {
        pending.push({ node: item, name: '', set: (child) => void node.items.splice(index, 1, child) })
      })
    }
  }
  return slots
}
