import { ok, valuesOf, warning } from '../findings.ts'
import type { Check, Finding, Subject } from '../types.ts'
import { readHolder } from './daemon.ts'

/** Limits of a process. */
export interface LimitFacts {
  /** `the running daemon`, or `this shell` whose limits a daemon started here would have. */
  readonly owner: string
  /** Text of `/proc/<pid>/limits`. */
  readonly text: string
  /** What the network part may use. */
  readonly peerFiles: number
}

/** Files beside those of the network: database, logs, connections of clients, pipes of jobs. */
const OTHER_FILES = 256

/** Looks at the limits of the daemon, or of one that would be started here. */
export const limits: Check = {
  id: 'limits',
  title: 'Limits',
  async run(subject) {
    const facts = await readLimits(subject)
    return facts === undefined ? [] : judgeLimits(facts)
  }
}

async function readLimits(subject: Subject): Promise<LimitFacts | undefined> {
  const config = valuesOf(subject)
  const holder = config === undefined ? undefined : await readHolder(subject, `${config.general.data_dir}/daemon.lock`)
  const running = holder === undefined ? undefined : await subject.system.text(`/proc/${holder.pid}/limits`)
  const text = running ?? (await subject.system.text('/proc/self/limits'))
  if (text === undefined) return undefined
  return { owner: running === undefined ? 'this shell' : 'the running daemon', text, peerFiles: config?.p2p.fd ?? 512 }
}

/** Pure. */
export function judgeLimits({ owner, text, peerFiles }: LimitFacts): readonly Finding[] {
  return [
    judgeOpenFiles(owner, softLimit(text, 'Max open files'), peerFiles),
    judgeCore(owner, softLimit(text, 'Max core file size'))
  ]
}

function softLimit(text: string, name: string): number | undefined {
  const value = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(text)?.[1]
  if (value === undefined) return undefined
  return value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value)
}

function judgeOpenFiles(owner: string, limit: number | undefined, peerFiles: number): Finding {
  const wanted = peerFiles + OTHER_FILES
  if (limit === undefined || limit >= wanted) return ok('open files', `${limit ?? 'unknown'} for ${owner}`)
  return warning('open files', `${limit} for ${owner}, ${wanted} may be needed`, {
    advice: 'For the service, put LimitNOFILE=65536 into its systemd unit; in a shell:',
    command: 'ulimit -n 65536'
  })
}

/** The memory of the daemon holds keys. */
function judgeCore(owner: string, limit: number | undefined): Finding {
  if (limit === undefined || limit === 0) return ok('core dumps', `off for ${owner}`)
  return warning('core dumps', `on for ${owner}: a crash may write keys from its memory to the disk`, {
    advice: 'For the service, put LimitCORE=0 into its systemd unit; in a shell:',
    command: 'ulimit -c 0'
  })
}
