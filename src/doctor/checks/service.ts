import { ok, problem, skipped, warning } from '../findings.ts'
import type { Check, Finding, System } from '../types.ts'

/** What systemd says about one unit, by property. */
export interface UnitFacts {
  readonly name: string
  readonly properties: Readonly<Record<string, string>>
}

/** The unit of the package, and that of the appliance (D §7). */
const UNITS: readonly string[] = ['nunet.service', 'nunetdms.service']
const PROPERTIES = [
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'Result',
  'NRestarts',
  'MemoryMax',
  'KillMode'
] as const

/** Looks at the systemd unit, where there is one. */
export const service: Check = {
  id: 'service',
  title: 'Service',
  run: async ({ system }) => judgeService(await readUnits(system))
}

/** Nothing when there is no systemd. */
async function readUnits(system: System): Promise<readonly UnitFacts[] | undefined> {
  if ((await system.status('/run/systemd/system')) === undefined) return undefined
  const shown = await Promise.all(
    UNITS.map(async (name) => ({
      name,
      result: await system.run('systemctl', ['show', name, `--property=${PROPERTIES.join(',')}`])
    }))
  )
  if (shown.every(({ result }) => result === undefined)) return undefined
  return shown.map(({ name, result }) => ({ name, properties: parseProperties(result?.stdout ?? '') }))
}

function parseProperties(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=')
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : []
    })
  )
}

/** Pure. */
export function judgeService(units: readonly UnitFacts[] | undefined): readonly Finding[] {
  if (units === undefined) return [skipped('systemd', 'not running here: start the daemon by other means, such as nunet run')]
  const installed = units.filter(({ properties }) => properties['LoadState'] === 'loaded')
  if (installed.length === 0) {
    return [skipped('systemd', 'no unit nunet.service: the daemon ends with its terminal; the Debian package installs one')]
  }
  return installed.flatMap(judgeUnit)
}

function judgeUnit({ name, properties }: UnitFacts): readonly Finding[] {
  const { ActiveState: active = '', SubState: sub = '', UnitFileState: enabled = '', Result: result = '' } = properties
  const restarts = Number(properties['NRestarts'] ?? 0)
  const journal = `journalctl -u ${name} -n 50 --no-pager`
  const findings: Finding[] = []
  if (active === 'failed') {
    findings.push(problem(name, `failed: ${result}`, { advice: 'Its log tells why:', command: journal, kind: 'unavailable' }))
  } else if (sub === 'auto-restart') {
    findings.push(
      problem(name, `ends again and again (${restarts} restarts)`, {
        advice: 'Its log tells why:',
        command: journal,
        kind: 'unavailable'
      })
    )
  } else {
    const again = restarts > 0 ? `, restarted ${restarts} times` : ''
    findings.push(ok(name, `${active} (${sub}), ${enabled}${again}${memoryLimit(properties['MemoryMax'])}`))
  }
  if (enabled === 'disabled') {
    findings.push(
      warning(name, 'not started with the machine', { advice: 'Enable it:', command: `sudo systemctl enable ${name}` })
    )
  }
  return findings
}

function memoryLimit(value: string | undefined): string {
  const size = Number(value)
  return Number.isSafeInteger(size) && size > 0 ? `, at most ${Math.round(size / 2 ** 20)} MiB of memory` : ''
}
