import type { JsonValue } from '../../base/index.ts'
import type { PublicBehavior } from '../behavior.ts'
import type { Shape } from '../codec.ts'
import { handle } from '../common.ts'
import { examplesOf } from '../example.ts'
import { resources } from '../resources.ts'

/** A JSON Schema of draft 2020-12, as OpenAPI 3.1 has them. */
export type Schema = Readonly<Record<string, JsonValue>>

/** Points to one of the schemas of the document. */
export function refTo(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

/** Objects that occur in many places and are described once, under these names. */
export const SHARED_SHAPES: Readonly<Record<string, Shape>> = { Resources: resources.shape, Handle: handle.shape }

/** The schema of what a codec writes. What it reads is wider: other spellings, members that are missing or not known. */
export function schemaOf(shape: Shape): Schema {
  const shared = Object.entries(SHARED_SHAPES).find(([, candidate]) => candidate === shape)
  return shared === undefined ? ownSchemaOf(shape) : refTo(shared[0])
}

/** The same for a shape itself that others refer to. */
export function ownSchemaOf(shape: Shape): Schema {
  switch (shape.type) {
    case 'text':
      return { type: 'string' }
    case 'integer':
    case 'number':
    case 'boolean':
      return { type: shape.type }
    case 'bytes':
      return { type: 'string', contentEncoding: 'base64' }
    case 'json':
      return {}
    case 'nothing':
      return { type: 'null' }
    case 'list':
      return { type: 'array', items: schemaOf(shape.of) }
    case 'map':
      return { type: 'object', additionalProperties: schemaOf(shape.of) }
    case 'object':
      return {
        type: 'object',
        properties: Object.fromEntries(shape.members.map(({ name, shape: inner }) => [name, schemaOf(inner)])),
        required: shape.members.filter(({ optional }) => !optional).map(({ name }) => name)
      }
  }
}

/** Request and reply of a behaviour as named schemas with an example each. */
export function behaviorSchemas(behavior: PublicBehavior<unknown, unknown>): Readonly<Record<string, Schema>> {
  const examples = examplesOf(behavior)
  const [request, reply] = schemaNames(behavior)
  return {
    [request]: described(behavior.request.shape, `What ${behavior.name} is asked with.`, examples.request),
    [reply]: described(behavior.reply.shape, `What ${behavior.name} answers.`, examples.reply)
  }
}

/** Under which names the schemas of a behaviour stand: `dms.node.peers.self.request` and `….reply`. */
export function schemaNames({ name }: Pick<PublicBehavior<unknown, unknown>, 'name'>): readonly [request: string, reply: string] {
  const dotted = name
    .slice(1)
    .replaceAll('/', '.')
    .replaceAll(/[^\w.-]+/g, '-')
    .replaceAll(/(^|\.)-|-($|\.)/g, '$1$2')
  return [`${dotted}.request`, `${dotted}.reply`]
}

function described(shape: Shape, description: string, example: JsonValue): Schema {
  return { description, ...schemaOf(shape), examples: [example] }
}
