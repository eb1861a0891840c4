import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeEnvelope, parseEnvelope } from '../src/actor/index.ts'
import { encodeGoJson, isJsonObject, type JsonValue, parseJson } from '../src/base/index.ts'
import { BEHAVIORS, describeApi } from '../src/protocol/index.ts'
import { type Gateway, rawRequest, startGateway } from './support/gateway.ts'
import { resolvePointer, schemaFaults, valueFaults } from './support/json-schema.ts'

type Members = Readonly<Record<string, JsonValue>>

const root = join(import.meta.dirname, '..')
const document = describeApi() as Members

function members(value: JsonValue | undefined): Members {
  if (!isJsonObject(value)) throw new Error(`not an object: ${JSON.stringify(value)}`)
  return value
}

function textOf(value: JsonValue | undefined): string {
  if (typeof value !== 'string') throw new Error(`not a text: ${JSON.stringify(value)}`)
  return value
}

const schemas = members(members(document['components'])['schemas'])

/** Each operation of the document. */
const operations = Object.entries(members(document['paths'])).flatMap(([path, item]) =>
  Object.entries(members(item)).map(([method, operation]) => ({ path, method, operation: members(operation) }))
)

/** Every `content` of the document with its media type. */
const contents = operations.flatMap(({ path, method, operation }) =>
  [operation['requestBody'], ...Object.values(members(operation['responses']))]
    .filter((part) => part !== undefined)
    .flatMap((part) =>
      Object.entries(members(members(part)['content'])).map(
        ([type, media]) => [`${method} ${path} ${type}`, members(media)] as const
      )
    )
)

describe('the checker of schemas', () => {
  const schema = {
    type: 'object',
    properties: { a: { type: 'integer', minimum: 1 }, b: { type: ['array', 'null'], items: { type: 'string' } } },
    required: ['a']
  }

  test.each<[JsonValue, number]>([
    [{ a: 1, b: ['x'] }, 0],
    [{ a: 2n ** 64n, b: null }, 0],
    [{}, 1],
    [{ a: 0 }, 1],
    [{ a: 1.5 }, 1],
    [{ a: 'x', b: [1] }, 2],
    [[], 1]
  ])('finds the faults of a value: %#', (value, count) => {
    expect(valueFaults({}, schema, value)).toHaveLength(count)
  })

  test.each<[JsonValue]>([
    [{ $ref: '#/nowhere' }],
    [{ type: 'text' }],
    [{ typ: 'string' }],
    [{ type: 'object', properties: {}, required: ['a'] }],
    [{ type: 'array', items: { type: 'bytes' } }]
  ])('finds the fault of the schema %j', (bad) => {
    expect(schemaFaults({}, bad)).toHaveLength(1)
  })
})

describe('the OpenAPI document', () => {
  test('has what OpenAPI 3.1 asks for', () => {
    expect(document['openapi']).toMatch(/^3\.1\.\d$/)
    expect(members(document['info'])).toMatchObject({
      title: expect.any(String) as unknown,
      version: expect.any(String) as unknown
    })
    for (const { path, operation } of operations) {
      expect(path).toMatch(/^\/[\w./-]+$/)
      const responses = Object.entries(members(operation['responses']))
      expect(responses.length).toBeGreaterThan(0)
      for (const [status, response] of responses) {
        expect(status).toMatch(/^[1-5]\d\d$/)
        expect(members(response)['description']).toEqual(expect.stringMatching(/\S/))
      }
    }
    const ids = operations.map(({ operation }) => operation['operationId'])
    expect(new Set(ids).size).toBe(operations.length)
  })

  test('has schemas that are schemas, under names that are allowed', () => {
    expect(Object.keys(schemas).filter((name) => !/^[\w.-]+$/.test(name))).toEqual([])
    const faults = Object.entries(schemas).flatMap(([name, schema]) => schemaFaults(document, schema, name))
    expect(faults).toEqual([])
    expect(contents.flatMap(([name, media]) => schemaFaults(document, media['schema'], name))).toEqual([])
  })

  test('has examples that have the form of their schemas', () => {
    const ofSchemas = Object.entries(schemas).flatMap(([name, schema]) => {
      const examples = members(schema)['examples']
      return (Array.isArray(examples) ? (examples as readonly JsonValue[]) : []).flatMap((example) =>
        valueFaults(document, schema, example, name)
      )
    })
    const ofContents = contents.flatMap(([name, media]) =>
      media['example'] === undefined ? [] : valueFaults(document, media['schema'], media['example'], name)
    )
    expect([...ofSchemas, ...ofContents]).toEqual([])
  })

  test('has envelopes as examples that this node reads', () => {
    const bodies = operations.flatMap(({ operation }) =>
      operation['requestBody'] === undefined ? [] : [members(operation['requestBody'])]
    )
    expect(bodies).toHaveLength(4)
    for (const body of bodies) {
      const example = members(members(body['content'])['application/json'])['example'] ?? null
      const envelope = parseEnvelope(example)
      expect(envelope.ok && encodeEnvelope(envelope.value)).toBe(encodeGoJson(example))
    }
  })

  test('has every behaviour, with a schema for what it is asked with and for what it answers', () => {
    const listed = (document['x-behaviors'] as readonly JsonValue[]).map(members)
    expect(listed.map(({ name }) => name)).toEqual(BEHAVIORS.map(({ name }) => name))
    for (const { request, reply } of listed) {
      for (const part of [request, reply]) expect(resolvePointer(document, textOf(members(part)['$ref']))).toBeDefined()
    }
    expect(new Set(listed.flatMap(({ request, reply }) => [members(request)['$ref'], members(reply)['$ref']])).size).toBe(
      2 * BEHAVIORS.length
    )
  })

  test('is the one in docs/reference, with every integer', () => {
    const committed = parseJson(readFileSync(join(root, 'docs/reference/openapi.json'), 'utf8'))
    expect(committed.ok && encodeGoJson(committed.value)).toBe(encodeGoJson(document))
  })
})

describe('the interface', () => {
  let gateway: Gateway

  beforeAll(async () => {
    const events = { behavior: '/dms/node/events', open: () => () => undefined }
    gateway = await startGateway({ events, openApi: () => encodeGoJson(describeApi()) })
  })

  afterAll(() => gateway.stop())

  test.each(operations.map(({ method, path }) => [method.toUpperCase(), path] as const))('has %s %s', async (method, path) => {
    const { status } = await rawRequest(gateway.tcp(), method, path, method === 'POST' ? { body: '{}' } : {})
    expect([200, 400]).toContain(status)
  })

  test.each(['/api/v1/openapi.json', '/openapi.json'])('gives the document at %s', async (path) => {
    const answer = await rawRequest(gateway.tcp(), 'GET', path)
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
    expect(answer.text).toBe(encodeGoJson(document))
  })

  test('has no route that the document leaves out', () => {
    const source = readFileSync(join(root, 'src/api/routes.ts'), 'utf8')
    const constants = Object.fromEntries(
      [...source.matchAll(/^const (\w+) = '(\/[^']*)'/gm)].map(([, name = '', path = '']) => [name, path])
    )
    const routes = [...source.matchAll(/app\.(get|post)\((`[^`]+`|'[^']+'|\w+)/g)]
      .map(([, method = '', path = '']) => [
        method,
        path.replaceAll(/\$\{(\w+)\}|^([A-Z]+)$/g, (_all, inner: string, whole: string) => constants[inner ?? whole] ?? '?')
      ])
      .map(([method, path = '']) => `${method} ${path.replaceAll(/[`']/g, '')}`)
      .filter((route) => route !== 'get path') // the two places of the document itself
    expect(routes).toHaveLength(8)
    const described = operations.map(({ method, path }) => `${method} ${path}`).filter((route) => !route.endsWith('openapi.json'))
    expect(routes.sort()).toEqual(described.sort())
  })
})
