import { isJsonObject, parseJson } from '../../base/index.ts'
import { restPlaces } from '../../config/index.ts'
import { summarizeContext } from '../context-summary.ts'
import { valuesOf } from '../findings.ts'
import type { HttpPlace, Subject } from '../types.ts'

/** What a daemon tells everybody. */
export interface DaemonAnswer {
  /** Missing while it starts. */
  readonly did?: string
}

/** What a DMS says of its health: it works, or it is starting. */
const HEALTHY: readonly unknown[] = ['ok', 'starting']

/** Asks whether a DMS answers at the place of the configuration. */
export async function askDaemon(subject: Subject): Promise<DaemonAnswer | undefined> {
  const config = valuesOf(subject)
  if (config === undefined) return undefined
  const { tcp, socket = '' } = restPlaces(config)
  const place: HttpPlace = tcp === undefined ? { socketPath: socket } : { host: reachable(tcp.host), port: tcp.port }
  const health = await subject.system.get(place, '/health')
  const body = health === undefined ? undefined : parseJson(health.text)
  if (body?.ok !== true || !isJsonObject(body.value) || !HEALTHY.includes(body.value['status'])) return undefined
  const handle = await subject.system.get(place, '/api/v1/actor/handle')
  const did = handle === undefined ? undefined : didOf(handle.text)
  return did === undefined ? {} : { did }
}

/** Whether the daemon that answers is that of this configuration. */
export type DaemonOwner = 'ours' | 'another' | 'none'

/** Compares the daemon that answers with the context that ours would run as; one that is still starting counts as ours. */
export async function ownerOfDaemon(subject: Subject, userDirectory: string): Promise<DaemonOwner> {
  const answer = await askDaemon(subject)
  if (answer === undefined) return 'none'
  const expected = await contextDid(subject, userDirectory)
  return expected !== undefined && (answer.did ?? expected) === expected ? 'ours' : 'another'
}

/** The DID of the context that the daemon of this configuration runs as. */
export async function contextDid({ system, contextName }: Subject, userDirectory: string): Promise<string | undefined> {
  const summary = summarizeContext((await system.text(`${userDirectory}/cap/${contextName}.cap`)) ?? '')
  return summary.ok ? summary.value.did : undefined
}

/** The `did.uri` of a handle. */
function didOf(text: string): string | undefined {
  const json = parseJson(text)
  const did = json.ok && isJsonObject(json.value) ? json.value['did'] : undefined
  const uri = isJsonObject(did) ? did['uri'] : undefined
  return typeof uri === 'string' ? uri : undefined
}

/** A server that listens on all addresses is reached on this machine's own. */
function reachable(address: string): string {
  if (address === '' || address === '0.0.0.0') return '127.0.0.1'
  return address === '::' ? '::1' : address
}
