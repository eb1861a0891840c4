import type { JsonValue } from '../../base/index.ts'
import type { PublicBehavior } from '../behavior.ts'
import { BEHAVIORS } from '../catalog.ts'
import { CALLER_CLASSES } from '../reference.ts'
import { addressSchema, envelopeSchema } from './envelopes.ts'
import { ANSWERS, describePaths } from './paths.ts'
import { behaviorSchemas, ownSchemaOf, refTo, SHARED_SHAPES, schemaNames } from './schemas.ts'

/**
 * The OpenAPI 3.1 document of the REST interface: its paths, and request and reply of every behaviour.
 *
 * OpenAPI has no word for what a sealed message carries, so the behaviours are listed under `x-behaviors`, with references to
 * ordinary schemas. The same code gives the same document.
 */
export function describeApi(): JsonValue {
  return {
    openapi: '3.1.0',
    info: {
      title: 'NuNet Device Management Service: local interface',
      version: '1',
      summary: 'Carries sealed messages between local programs and the actors of the network.',
      description:
        'The interface asks nobody who they are and adds no rights: every message is sealed with the key of its sender, and the addressed actor decides what that key may do. `x-behaviors` lists what can be asked.'
    },
    servers: [{ url: 'http://127.0.0.1:9999', description: 'The port; a Unix socket serves the same.' }],
    paths: describePaths(),
    components: { schemas: allSchemas() },
    'x-callers': CALLER_CLASSES,
    'x-behaviors': BEHAVIORS.map(describeBehavior)
  }
}

function allSchemas(): Readonly<Record<string, JsonValue>> {
  const shared = Object.entries(SHARED_SHAPES).map(([name, shape]) => [name, ownSchemaOf(shape)] as const)
  return {
    Envelope: envelopeSchema,
    Address: addressSchema,
    ...ANSWERS,
    ...Object.fromEntries(shared),
    ...Object.fromEntries(BEHAVIORS.flatMap((behavior) => Object.entries(behaviorSchemas(behavior))))
  }
}

function describeBehavior(behavior: PublicBehavior<unknown, unknown>): JsonValue {
  const { name, summary, callers, topic } = behavior
  const [request, reply] = schemaNames(behavior)
  return { name, summary, callers, ...(topic === undefined ? {} : { topic }), request: refTo(request), reply: refTo(reply) }
}
