import type { Millis } from '../../base/index.ts'
import { ok, problem, skipped, valuesOf, warning } from '../findings.ts'
import type { Check, Finding, Subject, System } from '../types.ts'

/** What tells whether the clock is right. */
export interface TimeFacts {
  readonly now: Millis
  /** Missing where nothing tells. */
  readonly isSynchronized?: boolean
  /** The newest change of a file of the user directory, which cannot lie in the future. */
  readonly newestFile?: Millis
}

/** When this check was written: no clock that is right shows less. */
const EARLIEST = Date.UTC(2026, 0, 1)
const LATEST = Date.UTC(2100, 0, 1)
/** Copied files and file servers may be a little ahead. */
const SLACK = 5 * 60_000

/** Looks whether the clock can be trusted: tokens and messages carry an end. */
export const time: Check = {
  id: 'time',
  title: 'Clock',
  run: async (subject) => judgeTime(await readTime(subject))
}

async function readTime(subject: Subject): Promise<TimeFacts> {
  const isSynchronized = await readSynchronized(subject.system)
  const newestFile = await newestOf(subject)
  return {
    now: subject.clock.now(),
    ...(isSynchronized === undefined ? {} : { isSynchronized }),
    ...(newestFile === undefined ? {} : { newestFile })
  }
}

async function readSynchronized(system: System): Promise<boolean | undefined> {
  if ((await system.status('/run/systemd/timesync/synchronized')) !== undefined) return true
  const control = await system.run('timedatectl', ['show', '--property=NTPSynchronized', '--value'])
  const answer = control?.code === 0 ? control.stdout.trim() : ''
  return answer === 'yes' || answer === 'no' ? answer === 'yes' : undefined
}

async function newestOf(subject: Subject): Promise<Millis | undefined> {
  const directory = valuesOf(subject)?.general.user_dir
  if (directory === undefined) return undefined
  let newest: Millis | undefined
  for (const folder of ['key', 'cap']) {
    for (const name of (await subject.system.names(`${directory}/${folder}`)) ?? []) {
      const changed = (await subject.system.status(`${directory}/${folder}/${name}`))?.modifiedAt
      if (changed !== undefined && (newest === undefined || changed > newest)) newest = changed
    }
  }
  return newest
}

/** Pure. */
export function judgeTime({ now, isSynchronized, newestFile }: TimeFacts): readonly Finding[] {
  const shown = `${new Date(now).toISOString().slice(0, 16)}Z`
  const command = 'sudo timedatectl set-ntp true'
  const advice = 'With a wrong clock, tokens count as expired and messages are refused. Set it, and let it be synchronised:'
  if (now < EARLIEST || now > LATEST) {
    return [problem('time', `${shown}, which cannot be right`, { advice, command, kind: 'unavailable' })]
  }
  if (newestFile !== undefined && newestFile > now + SLACK) {
    const file = `${new Date(newestFile).toISOString().slice(0, 16)}Z`
    return [problem('time', `${shown}, but a key or context was written at ${file}`, { advice, command, kind: 'unavailable' })]
  }
  if (isSynchronized === true) return [ok('time', `${shown}, synchronised`)]
  if (isSynchronized === false) return [warning('time', `${shown}, not synchronised`, { advice, command })]
  return [skipped('time', `${shown}; whether it is synchronised cannot be told here. Compare with another clock: date -u`)]
}
