import { describe, expect, test } from 'vitest'
import { type AbuseReport, abuse } from '../../scripts/abuse/abuse.ts'
import type { Attempt } from '../../scripts/abuse/attempt.ts'
import { judgeAbuse } from '../../scripts/abuse/judge.ts'
import { NOT_MADE, probeScript, readProbes } from '../../scripts/abuse/probes.ts'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { createDockerExecutor } from '../../src/executor/docker/index.ts'
import { requirement } from '../../src/testing/requirements.ts'

const docker = await requirement('docker', () =>
  createDockerExecutor({ nodeId: 'probe', clock: systemClock, log: silentLogger }).probe()
)

/** Other tests may keep both processors busy; by itself, `npm run abuse` allows one second. */
const OWNER_LIMIT_MS = 5000

describe('the judgement of attacks', () => {
  const contained: Attempt = { name: 'reads', executor: 'docker', isContained: true, evidence: 'refused' }
  const good: AbuseReport = {
    attempts: [contained],
    owner: { name: 'owner', milliseconds: [5], failures: [] },
    offer: { cores: 1, ram: 2, disk: 3 },
    free: { cores: 1, ram: 2, disk: 3 },
    left: []
  }

  test.each<[string, Partial<AbuseReport>, string]>([
    [
      'an attempt that got through',
      { attempts: [{ ...contained, isContained: false, evidence: 'ESCAPED' }] },
      'docker: reads: ESCAPED'
    ],
    [
      'an owner who waited',
      { owner: { ...good.owner, milliseconds: [5, 6000] } },
      'longer than 5000 ms 1 times, at most 6000 ms'
    ],
    ['an owner who got no answer', { owner: { ...good.owner, failures: ['timeout'] } }, 'the owner got no answer: timeout'],
    ['an owner who never asked', { owner: { ...good.owner, milliseconds: [] } }, 'never answered'],
    ['what is not given back', { free: { cores: 1, ram: 2, disk: 1 } }, 'disk: 1 free of 3 lent'],
    ['what is left', { left: ['processes: 7 sleep'] }, 'left behind: processes: 7 sleep']
  ])('finds %s', (_, change, finding) => {
    expect(judgeAbuse(good, OWNER_LIMIT_MS)).toEqual([])
    expect(judgeAbuse({ ...good, ...change }, OWNER_LIMIT_MS).join('\n')).toContain(finding)
  })

  test('a gap that is known is not held against the machine', () => {
    const attempts = [{ ...contained, isContained: false, knownGap: 'no quota' }]
    expect(judgeAbuse({ ...good, attempts }, OWNER_LIMIT_MS)).toEqual([])
  })

  test('what each probe said is told apart, and one that was cut short has said nothing', () => {
    const script = probeScript([
      { name: 'a', script: 'x' },
      { name: 'b', script: 'y' }
    ])
    expect(script).toContain("echo '@@1'")
    expect([...readProbes('@@0\nrefused\n\n@@1\nESCAPED\n')]).toEqual([
      [0, '\nrefused\n\n'],
      [1, '\nESCAPED\n']
    ])
    expect(NOT_MADE.test('sh: perl: not found')).toBe(true)
  })
})

describe.skipIf(!docker.available)(docker.title('hostile jobs on a real provider'), () => {
  test('are contained, keep nobody from being answered, and leave nothing', { timeout: 1_500_000 }, async () => {
    const report = await abuse({ isShort: true, say: () => undefined })
    expect(judgeAbuse(report, OWNER_LIMIT_MS)).toEqual([])
    expect(report.attempts.length).toBeGreaterThanOrEqual(60)
  })
})
