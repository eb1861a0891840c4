import { isJsonObject, parseJson, toNanos } from '../../../src/base/index.ts'
import { createVerifier } from '../../../src/identity/index.ts'
import { encodeContextFile, parseContextFile } from '../../../src/ucan/context-file.ts'
import {
  type Anchors,
  encodeToken,
  linksOf,
  revocationKey,
  type SignatureVerifier,
  type Token,
  verifyToken
} from '../../../src/ucan/index.ts'
import vectors from '../../../test/vectors/identity.json' with { type: 'json' }
import { isAttenuated } from '../attenuation.ts'
import type { Chance } from '../chance.ts'
import { copyTree, type JsonNode, leaf, readTree, slotsOf, writeTree } from '../json-tree.ts'
import { mutateJson } from '../mutate-json.ts'
import { mutateText } from '../mutate-text.ts'
import { createRememberingVerifier } from '../remembering-verifier.ts'
import { ACCEPTED, DEFAULT_LIMIT, type FuzzTarget, must, type Outcome, rejected } from '../target.ts'
import { createWorld, NOW, type World } from '../world.ts'

/** What is fuzzed; a test puts a broken verifier in its place. */
export interface ContextSubject {
  readonly verifier: SignatureVerifier
}

const MEMBERS = ['require', 'provide', 'revoke'] as const
type Member = (typeof MEMBERS)[number]

/** Bytes that are read from a disk. */
const MAX_FILE = 2 ** 20

/** Entries of a file up to which each is also read alone. */
const MAX_COMPARED = 16

/**
 * Context files: reading never throws, every anchor that is used was signed and holds, writing and reading again keeps the anchors,
 * and no entry keeps another one from being used.
 */
export function createContextTarget(subject: ContextSubject = { verifier: createVerifier() }): FuzzTarget {
  return {
    name: 'context',
    about: 'context files: only signed anchors are used, no entry blocks another one',
    async open(chance) {
      const world = await createWorld(chance)
      const texts = await prepareFiles(world)
      const remembering = createRememberingVerifier(subject.verifier)
      const entries = [...world.tokens.map(encodeToken), ...world.vectorTexts]
      return {
        make: (choice) => makeFile(choice, texts, entries),
        check: (text) => checkFile(text, world, subject.verifier, remembering),
        // Each of thousands of anchors costs a signature.
        limitMillis: (text) => DEFAULT_LIMIT + 4 * (text.length / 1024),
        dispose: async () => undefined
      }
    }
  }
}

async function prepareFiles(world: World): Promise<readonly string[]> {
  const { actor, organizations, tokens } = world
  const delegations = tokens.filter(({ action }) => action === 'delegate').slice(0, 10)
  const [first] = delegations
  const issuer = organizations.find(({ did }) => did === first?.issuer)
  const revoke = first === undefined || issuer === undefined ? [] : [await world.sign(revocationOf(first), issuer)]
  const roots = organizations.map(({ did }) => did)
  const file = (anchors: Partial<Anchors>): string =>
    encodeContextFile({
      did: actor.did,
      anchors: { roots: [], require: [], provide: [], revoke: [], ...anchors },
      setAside: { roots: [], require: [], provide: [], revoke: [] }
    })
  return [
    file({}),
    file({ roots, provide: delegations }),
    file({ roots, require: delegations.slice(0, 2), provide: delegations.slice(1), revoke }),
    file({ provide: tokens.slice(0, 8) }),
    vectors.capabilityContextFile.emptyUserCap,
    vectors.capabilityContextFile.dmsCap
  ]
}

function revocationOf(token: Token): Omit<Token, 'signature'> {
  const { issuer, subject, nonce, expiresAt, capabilities } = token
  return { action: 'revoke', issuer, subject, audience: '', topics: [], capabilities, nonce, expiresAt, depth: 0n }
}

function makeFile(chance: Chance, texts: readonly string[], entries: readonly string[]): string {
  const text = chance.pick(texts)
  const choice = chance.int(16)
  if (choice === 0) return text
  if (choice < 5) return mutateText(text, chance, texts)
  if (choice < 10) return mutateJson(text, chance, [...texts, ...entries])
  if (chance.oneIn(200))
    return withEntries(
      text,
      chance,
      () => leaf(chance.pick(['{}', 'null', '{"dms":{}}', chance.pick(entries)])),
      chance.pick([1000, 10_000])
    )
  return withEntries(text, chance, () => badEntry(chance, entries), 1 + chance.int(3))
}

function badEntry(chance: Chance, entries: readonly string[]): JsonNode {
  return readTree(mutateJson(chance.pick(entries), chance, entries)) ?? leaf('{"dms":null}')
}

/** A file with more entries, while it stays under the size that is read from a disk. */
function withEntries(text: string, chance: Chance, entry: () => JsonNode, count: number): string {
  const tree = readTree(text)
  if (tree === undefined) return text
  const lists = slotsOf(tree, () => undefined).filter(({ name }) => MEMBERS.some((member) => member === name))
  const { node } = chance.pick(lists)
  if (node.kind !== 'object') return text
  const list: JsonNode = node.members[0]?.value ?? { kind: 'list', items: [] }
  if (node.members.length === 0) node.members.push({ name: 'tok', value: list })
  if (list.kind !== 'list') return text
  if (count <= 3) for (let added = 0; added < count; added += 1) list.items.splice(chance.int(list.items.length + 1), 0, entry())
  else list.items.push(...copiesOf(entry(), count, MAX_FILE - text.length))
  return writeTree(tree)
}

/** As many copies as there is room for. */
function copiesOf(node: JsonNode, count: number, room: number): readonly JsonNode[] {
  const fitting = Math.floor(room / (writeTree(node).length + ','.length))
  return Array.from({ length: Math.max(0, Math.min(count, fitting)) }, () => copyTree(node))
}

function checkFile(text: string, world: World, verifier: SignatureVerifier, remembering: SignatureVerifier): Outcome {
  const started = performance.now()
  const parsed = parseContextFile(text, NOW, isTimed(text) ? verifier : remembering)
  const millis = performance.now() - started
  if (!parsed.ok) return { ...rejected(parsed.error.message), millis }
  const { anchors } = parsed.value
  checkAnchors(anchors, world, remembering)
  checkWriting(parsed.value, remembering)
  checkIsolation(text, remembering)
  const [notice] = parsed.value.notices
  return { ...(notice === undefined ? ACCEPTED : rejected(`set aside: ${notice.message}`)), millis }
}

/** Every large file and some small ones are read without remembered answers, as the program reads them. */
function isTimed(text: string): boolean {
  return text.length > 65_536 || text.length % 8 === 0
}

function checkAnchors(anchors: Anchors, world: World, verifier: SignatureVerifier): void {
  const revocations = new Set(anchors.revoke.map(revocationKey))
  for (const member of MEMBERS) {
    for (const token of anchors[member]) {
      const links = token.action === 'revoke' ? [token] : linksOf(token)
      must(token.action === (member === 'revoke' ? 'revoke' : 'delegate'), `a ${member} anchor is a token of the right action`)
      must(links.every(world.isSigned), `no altered token is a ${member} anchor`)
      must(isAttenuated(token), `no link of a ${member} anchor claims more than it was given`)
      must(
        verifyToken(token, toNanos(NOW), { verifier, revocations }).ok,
        `every ${member} anchor verifies under the revocations of the file`
      )
    }
  }
}

function checkWriting(content: Parameters<typeof encodeContextFile>[0], verifier: SignatureVerifier): void {
  const written = encodeContextFile(content)
  if (written.length > MAX_FILE) return
  const again = parseContextFile(written, NOW, verifier)
  must(again.ok, 'a file that was written is read again')
  must(isSubset(content.anchors, again.value.anchors), 'writing a file and reading it again loses no anchor')
  const settled = parseContextFile(encodeContextFile(again.value), NOW, verifier)
  must(
    settled.ok && encodeContextFile(settled.value) === encodeContextFile(again.value),
    'reading and writing again changes nothing'
  )
}

function isSubset(before: Anchors, after: Anchors): boolean {
  const roots = new Set<string>(after.roots)
  return (
    before.roots.every((root) => roots.has(root)) &&
    MEMBERS.every((member) => {
      const texts = new Set(after[member].map(encodeToken))
      return before[member].every((token) => texts.has(encodeToken(token)))
    })
  )
}

/** What is used of a file is what would be used of files with one entry each, and the same revocations. */
function checkIsolation(text: string, verifier: SignatureVerifier): void {
  const json = parseJson(text)
  if (!json.ok || !isJsonObject(json.value)) return
  const file = json.value
  const lists = { require: sourcesOf(file['require']), provide: sourcesOf(file['provide']), revoke: sourcesOf(file['revoke']) }
  if (lists.require.length + lists.provide.length + lists.revoke.length > MAX_COMPARED) return
  const did = sourceOf(file['did'])
  const anchorsOf = (part: Readonly<Record<Member, readonly string[]>>): Anchors | undefined => {
    const members = MEMBERS.map((member) => `"${member}":{"tok":[${part[member].join(',')}]}`)
    const read = parseContextFile(`{"did":${did},"roots":[],${members.join(',')}}`, NOW, verifier)
    return read.ok ? read.value.anchors : undefined
  }
  const whole = anchorsOf(lists)
  must(whole !== undefined, 'entries of any kind never keep a file from being read')
  for (const member of ['require', 'provide'] as const) {
    const alone = lists[member].flatMap(
      (entry) => anchorsOf({ require: [], provide: [], revoke: lists.revoke, [member]: [entry] })?.[member] ?? []
    )
    must(
      alone.map(encodeToken).join() === whole[member].map(encodeToken).join(),
      `no ${member} entry keeps another one from being used`
    )
  }
}

function sourcesOf(value: unknown): readonly string[] {
  const list = isJsonObject(value) ? value['tok'] : undefined
  return Array.isArray(list) ? list.map(sourceOf) : []
}

/** JSON of a value that `parseJson` has read. */
function sourceOf(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map(sourceOf).join(',')}]`
  if (isJsonObject(value))
    return `{${Object.entries(value)
      .map(([name, member]) => `${JSON.stringify(name)}:${sourceOf(member)}`)
      .join(',')}}`
  return value === undefined ? 'null' : JSON.stringify(value)
}
