import { encodeGoJson, isJsonObject, type JsonValue } from '../base/index.ts'
import type { Callers, PublicBehavior } from './behavior.ts'
import { BEHAVIOR_GROUPS } from './catalog.ts'
import type { Shape } from './codec.ts'
import { handle } from './common.ts'
import { exampleOf, examplesOf } from './example.ts'
import { resources } from './resources.ts'

/** The page `docs/reference/behaviors.md`: every behaviour with its callers and the JSON of request and reply, as Markdown. */
export function renderBehaviorReference(): string {
  const groups = BEHAVIOR_GROUPS.map(({ title, behaviors }) => [`## ${title}`, ...behaviors.map(renderBehavior)].join('\n\n'))
  const forms = SHARED.map(({ title, shape }) =>
    [`### ${title}`, renderMembers(shape), renderExample(exampleOf(shape, title))].join('\n\n')
  )
  return `${[INTRODUCTION, renderCallers(), FAILURES, ...groups, '## Shared forms', ...forms].join('\n\n')}\n`
}

const INTRODUCTION = `# Behaviours

A node is asked to do something by a signed message that names a *behaviour* and carries JSON. \`nunet actor cmd <behaviour>\` does so
from the command line; \`nunet actor msg\` makes the message only. This page shows what is written. What is read is wider: members match
without regard to case and underscores, older spellings are understood, unknown members are ignored, and a missing member counts as
empty. Times are UTC. A member with a question mark may be missing.`

const FAILURES = `## Errors and large replies

A caller that is known at the node gets an error as its reply; \`code\` and \`kind\` are those of [the errors](errors.md), \`error\` is for
programs that know neither. Strangers get nothing. Who asks too much is told so once in a second (\`ACTOR_OVERLOADED\`); a node that was
killed and came back says so (\`ACTOR_RESTARTED\`), and did nothing with the message, which may be sent anew after a second.

\`\`\`json
{"OK": false, "error": "…", "code": "ACTOR_OVERLOADED", "kind": "exhausted", "message": "…", "details": {}}
\`\`\`

A reply whose JSON has more than 720,000 bytes does not fit into one message. Its caller gets the error \`ACTOR_REPLY_TOO_LARGE\` with one
member more, and reads the reply in pieces with the behaviour \`<path>/reply/chunk\`, which whoever may call \`<path>\` may call: it must
be the same sender, and begin within a minute. The pieces, in order, are the JSON. \`nunet\` does this by itself.

\`\`\`json
{"OK": false, "error": "…", "code": "ACTOR_REPLY_TOO_LARGE", "kind": "exhausted", "message": "…", "details": {},
  "chunks": {"id": "5f0c…", "size": 3145728}}
\`\`\`

Request and reply of \`<path>/reply/chunk\`, here one after the other; \`data\` is base64 of at most 512 KiB, and \`eof\` is true for the last piece:

\`\`\`json
[{"id": "5f0c…", "offset": 0},
{"offset": 0, "next_offset": 524288, "total_size": 3145728, "eof": false, "data": "…"}]
\`\`\``

/** Who holds what each class asks for (B §7). */
export const CALLER_CLASSES: Readonly<Record<Callers, string>> = {
  root: 'the owner: whoever is a root anchor of the node, or was granted the path',
  public: 'holders of `/public`',
  broadcast: 'holders of `/broadcast` for the topic',
  deploy: 'holders of `/dms/deployment`',
  ensemble: 'the two ends of one ensemble, which grant each other its path while it runs',
  allocation: 'the orchestrator of the allocation, by the grant that it got when it was created'
}

function renderCallers(): string {
  const rows = Object.entries(CALLER_CLASSES).map(([name, meaning]) => `| *${name}* | ${meaning} |`)
  return ['| callers | who that is |', '| --- | --- |', ...rows].join('\n')
}

function renderBehavior(behavior: PublicBehavior<unknown, unknown>): string {
  const { name, topic, callers, summary, eras, request, reply } = behavior
  const examples = examplesOf(behavior)
  const where = topic === undefined ? '' : ` Topic: \`${topic}\`.`
  return [
    `### \`${name}\``,
    summary,
    `Callers: *${callers}*.${where}`,
    ...(eras === undefined ? [] : [`Other nodes: ${eras}`]),
    renderPart('Request', request.shape, examples.request),
    renderPart('Reply', reply.shape, examples.reply)
  ].join('\n\n')
}

function renderPart(title: string, shape: Shape, example: JsonValue): string {
  if (shape.type === 'nothing') return `**${title}:** nothing.`
  return [`**${title}**`, renderMembers(shape), renderExample(example)].join('\n\n')
}

function renderExample(example: JsonValue): string {
  return ['```json', layOut(example), '```'].join('\n')
}

/** Longest line of an example, in characters. */
const WIDTH = 120

/** JSON on as few lines as fit: an object or list that is too long for one has one line for each of its members. */
function layOut(value: JsonValue, indent = ''): string {
  const line = encodeGoJson(value).replaceAll(/("(?:[^"\\]|\\.)*"|[:,])/g, (token) => (token.length === 1 ? `${token} ` : token))
  if (indent.length + line.length <= WIDTH || typeof value !== 'object' || value === null) return line
  const inner = `${indent}  `
  if (isJsonObject(value)) {
    const members = Object.entries(value).map(([name, member]) => `${inner}${JSON.stringify(name)}: ${layOut(member, inner)}`)
    return `{\n${members.join(',\n')}\n${indent}}`
  }
  const items = value.map((item: JsonValue) => `${inner}${layOut(item, inner)}`)
  return `[\n${items.join(',\n')}\n${indent}]`
}

function renderMembers(shape: Shape): string {
  const rows = membersOf(shape, '').map(({ path, type, optional }) => `| \`${path}\`${optional ? ' ?' : ''} | ${type} |`)
  return ['| member | type |', '| --- | --- |', ...rows].join('\n')
}

interface MemberRow {
  readonly path: string
  readonly type: string
  readonly optional: boolean
}

/** The members of an object and of the objects in it, each with its path: `Allocations.<name>.did.uri`, `peers[].peer_id`. */
function membersOf(shape: Shape, prefix: string): readonly MemberRow[] {
  if (shape.type === 'list' || shape.type === 'map') {
    const [suffix, content] = contentOf(shape)
    const path = suffix.replace(/^\./, '')
    return [{ path, type: typeOf(content), optional: false }, ...membersOf(content, `${path}.`)]
  }
  if (shape.type !== 'object') return []
  return shape.members.flatMap(({ name, optional, shape: inner }) => {
    const path = `${prefix}${name}`
    const [suffix, content] = contentOf(inner)
    const below = sharedOf(content) === undefined ? membersOf(content, `${path}${suffix}.`) : []
    return [{ path, type: typeOf(inner), optional }, ...below]
  })
}

/** What is inside of lists and maps, and how the path to it goes on. */
function contentOf(shape: Shape): readonly [suffix: string, content: Shape] {
  if (shape.type !== 'list' && shape.type !== 'map') return ['', shape]
  const [suffix, content] = contentOf(shape.of)
  return [`${shape.type === 'list' ? '[]' : `.<${shape.keys ?? 'name'}>`}${suffix}`, content]
}

function typeOf(shape: Shape): string {
  switch (shape.type) {
    case 'list':
    case 'map':
      return `${shape.type} of ${typeOf(shape.of)}`
    case 'bytes':
      return 'base64 text'
    case 'json':
      return 'JSON'
    case 'text':
    case 'integer':
    case 'number':
      return shape.unit === undefined ? shape.type : `${shape.type}, ${shape.unit}`
    case 'object': {
      const shared = sharedOf(shape)
      return shared === undefined ? 'object' : `[${shared.title}](#${shared.title.toLowerCase()})`
    }
    default:
      return shape.type
  }
}

/** Objects that occur in many places and are shown once. */
const SHARED: readonly { readonly title: string; readonly shape: Shape }[] = [
  { title: 'Resources', shape: resources.shape },
  { title: 'Handle', shape: handle.shape }
]

function sharedOf(shape: Shape): (typeof SHARED)[number] | undefined {
  return SHARED.find((candidate) => candidate.shape === shape)
}
