import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS, MAX_FRAME } from './limits.ts'
import { limitsFor } from './resource-limits.ts'

describe('the limits of the network part', () => {
  test('are the usual ones for what is given by default', () => {
    expect({ ...DEFAULT_LIMITS, ...limitsFor({ mebibytes: 1024, fileDescriptors: 512 }) }).toEqual(DEFAULT_LIMITS)
  })

  test('follow from less memory', () => {
    expect(limitsFor({ mebibytes: 256, fileDescriptors: 512 })).toEqual({
      connections: 100,
      connectionsPerIp: 32,
      streams: 2048,
      reads: 256,
      readBytes: 16 * MAX_FRAME,
      readBytesPerPeer: 4 * MAX_FRAME
    })
  })

  test('follow from fewer file descriptors', () => {
    expect(limitsFor({ mebibytes: 1024, fileDescriptors: 100 }).connections).toBe(68)
  })

  test('always let a node work, and a frame of the largest size be read', () => {
    const allowance = fc.record({
      mebibytes: fc.integer({ min: 1, max: 1_048_576 }),
      fileDescriptors: fc.integer({ min: 1, max: 1_048_576 })
    })
    fc.assert(
      fc.property(allowance, (given) => {
        const limits = { ...DEFAULT_LIMITS, ...limitsFor(given) }
        expect(limits.connections).toBeGreaterThanOrEqual(16)
        expect(limits.connections).toBeLessThanOrEqual(400)
        expect(limits.connectionsPerIp).toBeLessThan(limits.connections)
        expect(limits.readBytesPerPeer).toBeGreaterThanOrEqual(MAX_FRAME)
        expect(limits.readBytesPerPeer).toBeLessThan(limits.readBytes)
        expect(limits.readsPerPeer).toBeLessThanOrEqual(limits.reads)
      })
    )
  })
})
