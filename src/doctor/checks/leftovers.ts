import { isJsonObject, parseJson } from '../../base/index.ts'
import { ok, shellPath, warning } from '../findings.ts'
import type { Finding, Subject, System } from '../types.ts'

/** What commands that were killed left behind, and copies that were kept on purpose. */
export interface Leftovers {
  /** Paths of files that were never put in place. */
  readonly temporary: readonly string[]
  /** Paths of locks whose holder is gone. */
  readonly deadLocks: readonly string[]
  /** Kept copies of earlier versions. */
  readonly backups: number
}

/** No write takes so long. */
const YOUNG = 60_000

/** Looks through directories for them. */
export async function readLeftovers({ system, clock }: Subject, directories: readonly string[]): Promise<Leftovers> {
  const temporary: string[] = []
  const deadLocks: string[] = []
  let backups = 0
  for (const directory of directories) {
    for (const name of (await system.names(directory)) ?? []) {
      const path = `${directory}/${name}`
      if (/\.(json|cap)\.\d{9,11}(-\d+)?$/.test(name)) backups += 1
      const isTemporary = /^\..*\.[0-9a-f]{16}\.tmp$/.test(name) || /\.lock\.(stale-)?[0-9a-f]{32}$/.test(name)
      if (isTemporary && clock.now() - ((await system.status(path))?.modifiedAt ?? clock.now()) > YOUNG) temporary.push(path)
      if (name.endsWith('.lock') && (await isDead(system, path))) deadLocks.push(path)
    }
  }
  return { temporary, deadLocks, backups }
}

async function isDead(system: System, lock: string): Promise<boolean> {
  const json = parseJson((await system.text(lock)) ?? '')
  const pid = json.ok && isJsonObject(json.value) ? json.value['pid'] : undefined
  return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 && !system.isAlive(pid)
}

/** Pure. */
export function judgeLeftovers({ temporary, deadLocks, backups }: Leftovers): readonly Finding[] {
  return [
    ...(temporary.length === 0
      ? []
      : [
          warning('temporary files', `${temporary.length} left by commands that were ended`, {
            advice: 'They are parts of writes that never counted, and may be removed:',
            command: `rm ${temporary.slice(0, 5).map(shellPath).join(' ')}`
          })
        ]),
    ...(deadLocks.length === 0 ? [] : [ok('locks', `${deadLocks.length} of ended processes; the next command takes them over`)]),
    ...(backups === 0 ? [] : [ok('copies', `${backups} of earlier keys and contexts; the newest ten of each are kept`)])
  ]
}
