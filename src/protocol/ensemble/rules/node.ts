import { isJsonObject } from '../../../base/index.ts'
import type { EnsembleEdge, EnsembleNode, LocationRule, PortRequest } from '../model.ts'
import { defaulted, type ObjectSchema, object, optional, required } from '../object-schema.ts'
import { integer, isList, list, number, oneOf, prepared, refined, type Schema, text } from '../schema.ts'
import { label, labels, peerId } from './names.ts'

const LOWEST_PUBLIC_PORT = 1025
const HIGHEST_PORT = 65_535

/** A published port. */
export const portSchema: ObjectSchema<PortRequest> = object('port', {
  public: required(
    'public',
    refined(integer({ min: 0, max: HIGHEST_PORT, about: `0, or ${LOWEST_PUBLIC_PORT} to ${HIGHEST_PORT}` }), (port) =>
      port === 0 || port >= LOWEST_PUBLIC_PORT
        ? undefined
        : `must be 0 for any port, or from ${LOWEST_PUBLIC_PORT} to ${HIGHEST_PORT}, is ${port}`
    ),
    'port of the machine; 0 lets the machine choose'
  ),
  private: required('private', integer({ min: 1, max: HIGHEST_PORT, about: `1 to ${HIGHEST_PORT}` }), 'port inside the workload'),
  allocation: required('allocation', label, 'the allocation, which is on this node')
})

/** Capital letters count as the same. */
function upperCase<T>(schema: Schema<T>): Schema<T> {
  return prepared(schema, (value) => (typeof value === 'string' ? value.toUpperCase() : value))
}

const continent = upperCase(oneOf(['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA']))
const country = upperCase(
  text({ about: 'two-letter country code', pattern: /^[A-Z]{2}$/, expected: 'a two-letter country code such as DE' })
)
const placeName = text({ max: 128 })

/** A part of the world. */
export const locationRuleSchema: ObjectSchema<LocationRule> = object(
  'place',
  {
    continent: required<string>('continent', continent, 'one of AF, AN, AS, EU, NA, OC, SA'),
    country: optional('country', country, 'ISO 3166-1 code'),
    city: optional('city', placeName, 'needs the country'),
    asn: optional('asn', text({ max: 32 }), 'number of the network'),
    isp: optional('isp', placeName, 'name of the network')
  },
  { refused: { region: 'is not supported: name the continent by its two-letter code, as in continent: EU' } }
)

const locationRule = refined(locationRuleSchema, ({ city, country: of }) =>
  city !== undefined && of === undefined ? `the city ${JSON.stringify(city)} needs its country` : undefined
)

const MAX_RULES = 256

/** Where a node may be. */
export const locationSchema: ObjectSchema<EnsembleNode['location']> = object('location', {
  accept: defaulted('accept', list(locationRule, MAX_RULES), [], 'only in one of these places'),
  reject: defaulted('reject', list(locationRule, MAX_RULES), [], 'in none of these places')
})

const MAX_STANDBY = 64

/** One machine (C §7.5). */
export const nodeSchema: ObjectSchema<EnsembleNode> = object(
  'node',
  {
    allocations: required(
      'allocations',
      refined(labels, (names) => (names.length > 0 ? undefined : 'must name at least one allocation')),
      'what runs on it'
    ),
    ports: defaulted('ports', list(portSchema, MAX_RULES), [], 'ports that are reachable at its machine'),
    location: defaulted('location', locationSchema, { accept: [], reject: [] }, 'where it may be'),
    peer: optional('peer', peerId, 'the only machine that may run it'),
    redundancy: defaulted('redundancy', integer({ min: 0, max: MAX_STANDBY }), 0, 'number of standby machines'),
    failureRecovery: defaulted(
      'failure_recovery',
      oneOf(['stay_down', 'restart', 'redeploy']),
      'stay_down',
      'what happens when the machine fails'
    )
  },
  { note: (partial, { reading, path }) => reading.noteNode(path.at(-1) ?? '', partial) }
)

/** How near two nodes must be. */
export const edgeSchema: ObjectSchema<EnsembleEdge> = object('edge', {
  source: required('S', label, 'one node: the first in edges', { file: 's' }),
  target: required('T', label, 'the other node: the second in edges', { file: 't' }),
  rtt: optional('RTT', number({ above: 0 }), 'longest round trip in milliseconds', { file: 'rtt' }),
  bandwidth: optional('BW', number({ above: 0 }), 'least bandwidth', { file: 'bw' })
})

/** {@link edgeSchema} where a file may have `edges: [A, B]` (C §7.3, 6). */
export const edge: Schema<EnsembleEdge> = prepared(edgeSchema, (value, place) => {
  if (place.reading.dialect === 'wire' || !isJsonObject(value)) return value
  const ends = value['edges']
  if (ends === undefined || !isList(ends) || ends.length !== 2) return value
  const { edges: _, ...rest } = value
  return { ...rest, s: ends[0] ?? null, t: ends[1] ?? null }
})
