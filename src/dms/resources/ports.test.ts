import { describe, expect, test } from 'vitest'
import { createPorts } from './ports.ts'

const NOBODY: ReadonlySet<number> = new Set()

describe('the ports that jobs get', () => {
  const busy = new Set([20_001])
  const ports = createPorts({ range: { from: 20_000, to: 20_004 }, probe: { isFree: async (port) => !busy.has(port) } })
  const none = async (): Promise<void> => undefined

  test.each<readonly [string, { readonly static: readonly number[]; readonly dynamic: number }, ReadonlySet<number>]>([
    ['port 19999 is not lent: ports are from 20000 to 20003', { static: [19_999], dynamic: 0 }, NOBODY],
    ['port 20004 is not lent: ports are from 20000 to 20003', { static: [20_004], dynamic: 0 }, NOBODY],
    ['ports are already allocated: 20002', { static: [20_000, 20_002], dynamic: 0 }, new Set([20_002])],
    ['port 20001 is in use by another program', { static: [20_001], dynamic: 0 }, NOBODY],
    ['a port is asked for twice', { static: [20_000, 20_000], dynamic: 0 }, NOBODY],
    ['dynamic ports not available', { static: [20_000], dynamic: 3 }, NOBODY],
    ['at most 64 ports are had at once', { static: [], dynamic: 65 }, NOBODY]
  ])('are refused: %s', async (reason, need, taken) => {
    expect(await ports.check(need, taken)).toEqual({ ok: false, error: reason })
  })

  test('are refused where they are assigned as well, and nothing is reserved', async () => {
    const reserved: unknown[] = []
    const reserve = async (leases: unknown): Promise<void> => void reserved.push(leases)
    const request = { static: [{ public: 20_001, private: 80 }], dynamic: [] }
    await expect(ports.assign(request, () => NOBODY, reserve)).rejects.toMatchObject({ code: 'RESOURCES_NO_PORT' })
    expect(reserved).toEqual([])
  })

  test('are those by number, and the lowest that are free', async () => {
    expect(await ports.check({ static: [20_000], dynamic: 2 }, NOBODY)).toEqual({ ok: true, value: true })
    const reserved: unknown[] = []
    const request = { static: [{ public: 20_002, private: 80 }], dynamic: [81, 82] }
    await ports.assign(
      request,
      () => NOBODY,
      async (leases) => void reserved.push(...leases)
    )
    expect(reserved).toEqual([
      { public: 20_002, private: 80 },
      { public: 20_000, private: 81 },
      { public: 20_003, private: 82 }
    ])
  })

  test('are never the same for two who ask at once', async () => {
    const taken = new Set<number>()
    const ask = (): Promise<void> =>
      ports.assign(
        { static: [], dynamic: [80] },
        () => taken,
        async (leases) => {
          await none()
          for (const lease of leases) taken.add(lease.public)
        }
      )
    await Promise.all([ask(), ask(), ask()])
    expect([...taken]).toEqual([20_000, 20_002, 20_003])
    await expect(ask()).rejects.toThrow('dynamic ports not available')
  })
})
