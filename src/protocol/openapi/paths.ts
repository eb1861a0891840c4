import type { JsonValue } from '../../base/index.ts'
import { exampleEnvelope } from './envelopes.ts'
import { refTo, type Schema } from './schemas.ts'

type Members = Readonly<Record<string, JsonValue>>

const JSON_TYPE = 'application/json'

/** The paths of the REST interface (B §8). */
export function describePaths(): Members {
  return { ...healthPaths(), ...messagePaths(), ...eventPaths(), ...documentPaths() }
}

function healthPaths(): Members {
  return {
    '/health': {
      get: operation('health', 'Whether the node answers commands.', {
        200: json('It does.', refTo('Status'), { status: 'ok' }),
        503: json('It is starting.', refTo('Status'), { status: 'starting' })
      })
    },
    '/health/live': {
      get: operation('live', 'Whether the process answers.', { 200: json('It does.', refTo('Status'), { status: 'ok' }) })
    },
    '/health/ready': {
      get: operation('ready', 'Whether every part of the node works; names only.', {
        200: json('Every part works.', refTo('Readiness'), readiness('ready', [])),
        503: json('The node is starting, or a part does not work.', refTo('Readiness'), readiness('impaired', ['database']))
      })
    }
  }
}

function messagePaths(): Members {
  return {
    '/api/v1/actor/handle': {
      get: operation('handle', 'The handle of the root actor of the node.', {
        200: json('The handle.', refTo('Handle')),
        500: failure('The node is starting.')
      })
    },
    '/api/v1/actor/send': {
      post: posting('send', 'Sends a sealed message and does not wait for a reply.', {
        200: json('The message was sent; whether it was allowed is not known.', refTo('Sent'), { message: 'message sent' })
      })
    },
    '/api/v1/actor/invoke': {
      post: posting('invoke', 'Sends a sealed message that names `opt.cont`, and waits for its reply.', {
        200: json('The reply, sealed by the actor that was asked.', refTo('Envelope')),
        408: failure('No reply came before the message expired; strangers never get one.'),
        409: failure('Another request uses the inbox of the sender.')
      })
    },
    '/api/v1/actor/broadcast': {
      post: posting('broadcast', 'Publishes a sealed message on its topic, and answers with the replies when it expires.', {
        200: json('The replies, each sealed by its sender; `null` when there are none.', {
          type: ['array', 'null'],
          items: refTo('Envelope')
        })
      })
    }
  }
}

function eventPaths(): Members {
  return {
    '/api/v1/events': {
      post: {
        ...posting(
          'events',
          'Opens a stream of what happens on the node, by a sealed message for `/dms/node/events` to its root actor. It ends when the message expires or is not allowed any more; a comment comes every 15 seconds.',
          {
            200: {
              description:
                'Server-sent events. Types are those of `dms.node.events.reply`; `live` comes once all that was kept is told, `gap` when events are missing, `end` with a reason at the end.',
              content: {
                'text/event-stream': {
                  schema: { type: 'string' },
                  example:
                    'id: 5f0c1d2e-7\nevent: peer\ndata: {"id":"5f0c1d2e-7","type":"peer","at":"2026-01-01T12:00:00.000Z","subject":"12D3KooW…","status":"connected"}\n\n'
                }
              }
            },
            408: failure('Nobody who may see the events sealed the message.')
          }
        ),
        parameters: [
          {
            name: 'Last-Event-ID',
            in: 'header',
            required: false,
            description: 'The last event that is known; wins over `after` of the message.',
            schema: { type: 'string' }
          }
        ]
      }
    }
  }
}

function documentPaths(): Members {
  return {
    '/api/v1/openapi.json': { get: operation('openapi', 'This document.', { 200: json('The document.', { type: 'object' }) }) },
    '/openapi.json': { get: operation('openapiAlias', 'This document.', { 200: json('The document.', { type: 'object' }) }) }
  }
}

/** Schemas of the answers that are no message of an actor. */
export const ANSWERS: Readonly<Record<string, Schema>> = {
  Status: { type: 'object', properties: { status: { type: 'string', enum: ['ok', 'starting'] } }, required: ['status'] },
  Readiness: {
    type: 'object',
    properties: {
      status: { type: 'string', enum: ['starting', 'ready', 'impaired'] },
      failing: { type: 'array', items: { type: 'string' }, description: 'Parts that do not work.' },
      peers: { type: 'string', enum: ['connected', 'none'] },
      executors: { type: 'array', items: { type: 'string' }, description: 'Executors that work.' }
    },
    required: ['status', 'failing', 'peers', 'executors']
  },
  Sent: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] },
  Error: {
    description: 'Why a request was refused.',
    type: 'object',
    properties: {
      error: { type: 'string', description: 'For people.' },
      code: { type: 'string', description: 'A stable name, for programs.' },
      kind: {
        type: 'string',
        enum: [
          'invalid',
          'unauthenticated',
          'forbidden',
          'not-found',
          'conflict',
          'exhausted',
          'unavailable',
          'timeout',
          'cancelled',
          'internal'
        ]
      }
    },
    required: ['error', 'code', 'kind']
  }
}

/** What every request may be refused with. */
const refusals = (): Members => ({
  403: failure('The Host header does not name this node, or a web page that may not use the interface sent the request.'),
  429: failure('The node is busy with other requests.')
})

/** What every message may be refused with. */
const messageRefusals = (): Members => ({
  400: failure('The body is no envelope, or one that this node does not transport.'),
  413: failure('The body is larger than an envelope can be.'),
  500: failure('The node is starting, or the request failed for a reason that its log names.'),
  503: failure('The destination cannot be reached, or the node stops.')
})

function operation(operationId: string, summary: string, responses: Members): Members {
  return { operationId, summary, responses: { ...responses, ...refusals() } }
}

function posting(kind: 'send' | 'invoke' | 'broadcast' | 'events', summary: string, responses: Members): Members {
  const content = { [JSON_TYPE]: { schema: refTo('Envelope'), example: exampleEnvelope(kind) } }
  return {
    ...operation(kind, summary, { ...responses, ...messageRefusals() }),
    requestBody: { required: true, description: 'The sealed message.', content }
  }
}

function json(description: string, schema: Schema, example?: JsonValue): Members {
  return { description, content: { [JSON_TYPE]: { schema, ...(example === undefined ? {} : { example }) } } }
}

function failure(description: string): Members {
  return json(description, refTo('Error'))
}

function readiness(status: string, failing: readonly string[]): JsonValue {
  return { status, failing, peers: 'connected', executors: ['docker', 'wasm'] }
}
