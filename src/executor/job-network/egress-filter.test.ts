import { describe, expect, test } from 'vitest'
import { createEgressFilter } from './egress-filter.ts'
import type { ProgramResult } from './programs.ts'

const surroundings = async () => ({ neighbourhoods: [], resolvers: [] })

function filterWith(result: ProgramResult) {
  const inputs: string[] = []
  const run = async (program: string, args: readonly string[], input = '') => {
    inputs.push(`${program} ${args.join(' ')}\n${input}`)
    return result
  }
  return { filter: createEgressFilter({ run, surroundings }), inputs }
}

describe('the filter', () => {
  test.each([
    ['there is no program nft', 'the program nft is missing (package nftables)'],
    ['Error: Could not process rule: Operation not permitted', 'setting firewall rules needs CAP_NET_ADMIN'],
    ['Error: syntax error', 'nft refuses the rules: Error: syntax error']
  ])('says why it is not in force: %s', async (complaint, error) => {
    const { filter } = filterWith({ code: 1, stdout: '', complaint })
    expect(await filter.ensure()).toEqual({ ok: false, error })
  })

  test('is set again at each call, in one transaction', async () => {
    const { filter, inputs } = filterWith({ code: 0, stdout: '', complaint: '' })
    expect(await filter.ensure()).toEqual({ ok: true, value: true })
    await filter.ensure()
    expect(inputs).toHaveLength(2)
    expect(inputs[0]).toMatch(/^nft -f -\ntable inet nunet\ndelete table inet nunet\ntable inet nunet \{/)
  })

  test('is set once more for all who ask while it is being set', async () => {
    const { filter, inputs } = filterWith({ code: 0, stdout: '', complaint: '' })
    await Promise.all([filter.ensure(), filter.ensure(), filter.ensure(), filter.ensure()])
    expect(inputs.length).toBeLessThanOrEqual(2)
  })
})
