import { describe, expect, test } from 'vitest'
import { type ChaosReport, wreakHavoc } from '../../scripts/chaos/chaos.ts'
import { judgeChaos } from '../../scripts/chaos/judge.ts'
import { silentLogger, systemClock } from '../../src/base/index.ts'
import { createDockerExecutor } from '../../src/executor/docker/index.ts'
import { requirement } from '../../src/testing/requirements.ts'

const docker = await requirement('docker', () =>
  createDockerExecutor({ nodeId: 'probe', clock: systemClock, log: silentLogger }).probe()
)

describe('the judgement of a storm of kills', () => {
  const calm: ChaosReport = {
    kills: { provider: 1, deployer: 0 },
    jobs: [{ kind: 'wasm', name: 'job0', id: 'x', outcome: 'Completed', error: '', ends: 1, runs: 1, isComplete: true }],
    offer: { cores: 1, ram: 2, disk: 3 },
    free: { cores: 1, ram: 2, disk: 3 },
    left: [],
    restartMs: [1]
  }
  const withJob = (change: Partial<ChaosReport['jobs'][number]>): ChaosReport => ({
    ...calm,
    jobs: calm.jobs.map((job) => ({ ...job, ...change }))
  })

  test.each<[string, ChaosReport, string]>([
    ['a job that ran twice', withJob({ runs: 2 }), 'wasm job0 ran 2 times'],
    ['a job without an end', withJob({ ends: 0 }), 'wasm job0 has 0 recorded ends'],
    ['a job with two ends', withJob({ ends: 2 }), 'wasm job0 has 2 recorded ends'],
    ['output that is not whole', withJob({ isComplete: false }), 'output not whole'],
    ['a job that completed without running', withJob({ runs: 0 }), 'completed, ran 0 times'],
    ['a job that ran and is said to have failed', withJob({ outcome: 'Failed', error: 'lost' }), 'is told to have failed: lost'],
    ['resources that are not back', { ...calm, free: { ...calm.free, ram: 1 } }, 'ram: 1 free of 2 lent'],
    ['what is left behind', { ...calm, left: ['mounts: /x'] }, 'left behind: mounts: /x']
  ])('finds %s', (_, report, finding) => {
    expect(judgeChaos(calm)).toEqual([])
    expect(judgeChaos(report).join('\n')).toContain(finding)
  })
})

describe.skipIf(!docker.available)(docker.title('daemons that are killed twenty times while jobs start, run and end'), () => {
  test('every job has one outcome and ran at most once, everything is given back, nothing is left', {
    timeout: 900_000
  }, async () => {
    const report = await wreakHavoc({ times: 20, seed: 20, say: () => undefined })
    expect(judgeChaos(report)).toEqual([])
    expect(new Set(report.jobs.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(2)
    expect(report.jobs.filter(({ runs }) => runs === 1).length).toBeGreaterThan(10)
  })
})
