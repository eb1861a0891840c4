import { isJsonObject, parseJson } from '../../base/index.ts'
import { restPlaces } from '../../config/index.ts'
import { ok, skipped, valuesOf, warning, withoutConfig } from '../findings.ts'
import type { Check, Finding, Subject } from '../types.ts'
import { askDaemon, contextDid, type DaemonAnswer } from './ask-daemon.ts'

/** What is known about the daemon without a passphrase. */
export interface DaemonFacts {
  /** What answers at the REST address; missing when nothing does. */
  readonly answer?: DaemonAnswer
  /** Where it was looked for. */
  readonly place: string
  readonly contextName: string
  /** The DID of the context of the configuration. */
  readonly expectedDid?: string
  /** The process that holds the data directory. */
  readonly holder?: { readonly pid: number; readonly uid?: number }
  readonly uid: number
}

/** Looks whether the daemon runs, and whether it is the one of this configuration. */
export const daemon: Check = {
  id: 'daemon',
  title: 'Daemon',
  async run(subject) {
    const config = valuesOf(subject)
    if (config === undefined) return withoutConfig('daemon')
    return judgeDaemon(await readDaemon(subject, config))
  }
}

async function readDaemon(subject: Subject, config: NonNullable<ReturnType<typeof valuesOf>>): Promise<DaemonFacts> {
  const { general } = config
  const { tcp, socket = '' } = restPlaces(config)
  const { system, contextName } = subject
  const answer = await askDaemon(subject)
  const expectedDid = await contextDid(subject, general.user_dir)
  const holder = await readHolder(subject, `${general.data_dir}/daemon.lock`)
  return {
    ...(answer === undefined ? {} : { answer }),
    place: tcp === undefined ? `unix:${socket}` : `${tcp.host}:${tcp.port}`,
    contextName,
    ...(expectedDid === undefined ? {} : { expectedDid }),
    ...(holder === undefined ? {} : { holder }),
    uid: system.process.uid
  }
}

/** The living process that a lock names. */
export async function readHolder({ system }: Subject, lock: string): Promise<DaemonFacts['holder']> {
  const json = parseJson((await system.text(lock)) ?? '')
  const pid = json.ok && isJsonObject(json.value) ? json.value['pid'] : undefined
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0 || !system.isAlive(pid)) return undefined
  const uid = (await system.status(`/proc/${pid}`))?.uid
  return { pid, ...(uid === undefined ? {} : { uid }) }
}

/** Pure. */
export function judgeDaemon({ answer, place, contextName, expectedDid, holder, uid }: DaemonFacts): readonly Finding[] {
  if (answer === undefined) {
    if (holder === undefined) return [skipped('daemon', `not running (nobody answers at ${place}); start it with: nunet run`)]
    return [
      warning('daemon', `process ${holder.pid} holds the data directory, but nobody answers at ${place}`, {
        advice: 'It is starting, or it was started with another rest.port: pass the same --config to commands.',
        command: `tr '\\0' ' ' < /proc/${holder.pid}/cmdline`
      })
    ]
  }
  const { did } = answer
  return [
    did === undefined ? ok('daemon', `runs at ${place}, and is still starting`) : judgeDid(did, place, contextName, expectedDid),
    ...judgeUser(holder, uid),
    skipped('peers', 'told only to those who may ask: nunet actor cmd /dms/node/peers/list')
  ]
}

function judgeDid(did: string, place: string, contextName: string, expected: string | undefined): Finding {
  if (did === expected) return ok('daemon', `runs at ${place} as ${did}`)
  const here =
    expected === undefined ? `there is no context ${contextName} here` : `the context ${contextName} here is ${expected}`
  return warning('daemon', `at ${place} runs ${did}, but ${here}`, {
    advice: 'It belongs to another configuration or user; commands that speak to it may be refused. Pass the same --config.'
  })
}

function judgeUser(holder: DaemonFacts['holder'], uid: number): readonly Finding[] {
  if (holder?.uid === undefined || holder.uid === uid) return []
  return [
    warning('user', `the daemon runs as user ${holder.uid}, this is user ${uid}`, {
      advice: 'Run commands as the same user, or what they write cannot be read by the daemon.',
      command: `sudo -u "#${holder.uid}" nunet doctor`
    })
  ]
}
