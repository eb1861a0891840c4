import { describe, expect, test } from 'vitest'
import { type Millis, minutes } from '../../src/base/index.ts'
import {
  type Fault,
  faultNames,
  type Observer,
  parseFaults,
  simulate,
  WORKLOADS,
  type Workload,
  type World
} from '../../src/testing/index.ts'

/** Owners in a hurry: enough happens in half an hour. */
const BUSY: Workload = { summary: '', pause: minutes(2), deeds: WORKLOADS['mixed']?.deeds ?? [], revokesAfter: 50 }

const SMALL = { nodes: 3, hours: 0.4, workload: BUSY } as const

const run = (seed: string, faults: string, invariants?: (world: World) => Observer) =>
  simulate({ seed, faults: parseFaults(faults), ...SMALL, ...(invariants === undefined ? {} : { invariants }) })

describe('a simulated world', () => {
  test('goes the same way each time, whether somebody looks on or not', async () => {
    const lines: string[] = []
    const first = await run('10', 'all')
    const second = await simulate({ seed: '10', faults: parseFaults('all'), ...SMALL, print: (line) => lines.push(line) })
    expect(second.hash).toBe(first.hash)
    expect(lines).toHaveLength(first.lines)
    expect(first.violations).toEqual([])
    expect(lines.some((line) => line.includes('runs '))).toBe(true)
  })

  test('goes another way with another seed', async () => {
    const [first, second] = [await run('1', 'none'), await run('2', 'none')]
    expect(first.hash).not.toBe(second.hash)
  })

  test.each(faultNames())('stands the fault %s alone', async (fault: Fault) => {
    const { violations, recent } = await run('3', fault)
    expect(violations, recent.join('\n')).toEqual([])
  })

  test('ends at the first violation, and tells what happened before', async () => {
    const { violations, recent, simulated } = await run('4', 'none', (world) => ({
      handlerStarts({ behavior }) {
        if (behavior === '/dms/deployment/commit') world.violate('test', 'somebody committed')
      }
    }))
    expect(violations).toMatchObject([{ invariant: 'test', message: 'somebody committed' }])
    expect(recent.some((line) => line.includes('test: somebody committed'))).toBe(true)
    expect(simulated).toBeLessThanOrEqual(3600)
  })
})

describe('the invariants find', () => {
  test('a workload that was started before its record was written', async () => {
    const { violations } = await run('5', 'none', (world) => ({
      committed(node) {
        // As if the allocation had started what no record of the node knows.
        const executor = node.running?.node
        if (executor === undefined || world.violations.length > 0) return
        node.workloads.machine.runs.set('null:stray' as never, strayRun())
      }
    }))
    expect(violations.map(({ invariant }) => invariant)).toContain('orphan')
  })

  test('resources that are kept for nobody', async () => {
    const { violations } = await run('5', 'none', () => ({
      started(node) {
        const ledger = node.running?.node.ledger
        const amount = { cpuCores: 0, memory: 0 as never, disk: 0 as never, gpus: [] }
        const keep = async (): Promise<void> => {
          await ledger?.commit('stray', { amount, owner: 'nobody', expiresAt: (node.now() + 1000) as Millis })
          await ledger?.allocate('stray', 'nobody')
        }
        void keep()
      }
    }))
    expect(violations.map(({ invariant }) => invariant)).toContain('resources')
  })
})

function strayRun() {
  return {
    id: 'stray',
    ports: [],
    stdout: new Uint8Array(),
    stderr: new Uint8Array(),
    ended: new Promise<never>(() => undefined),
    isRunning: () => true,
    end: () => undefined
  }
}
