import { describe, expect, test } from 'vitest'
import { list, map, maybe, member, object, quantity, text } from './codec.ts'
import { resources } from './resources.ts'

const codec = object({
  ensembleId: member('EnsembleID', text(8)),
  names: member('names', list(text(), 2)),
  labels: maybe('labels', map(text(), 2)),
  old: maybe('new_name', text(), 'OldName')
})

describe('the dialect of the Go program', () => {
  test.each([
    [{ EnsembleID: 5 }, 'EnsembleID', 'must be a text'],
    [{ EnsembleID: 'x'.repeat(9) }, 'EnsembleID', 'must have at most 8 characters, has 9'],
    [{ names: 'a' }, 'names', 'must be a list'],
    [{ names: ['a', 'b', 'c'] }, 'names', 'must have at most 2 entries, has 3'],
    [{ names: ['a', 1] }, 'names.1', 'must be a text'],
    [{ labels: { a: 1 } }, 'labels.a', 'must be a text'],
    ['text', '', 'must be an object']
  ])('refuses %o at %s', (wire, path, message) => {
    expect(codec.decode(wire)).toEqual({ ok: false, error: [{ path, message }] })
  })

  test('reads names of either era and any case, and null as empty', () => {
    const value = { ensembleId: 'id', names: [], old: 'o' }
    expect(codec.decode({ ensemble_id: 'id', Names: null, OLDNAME: 'o', unknown: 1 })).toEqual({ ok: true, value })
    expect(codec.decode(null)).toEqual({ ok: true, value: { ensembleId: '', names: [] } })
  })

  test('writes the newest names in their order and leaves out what is undefined', () => {
    expect(JSON.stringify(codec.encode({ names: ['a'], ensembleId: 'id', labels: undefined }))).toBe(
      '{"EnsembleID":"id","names":["a"]}'
    )
  })

  test('takes the exact name where two differ only in case', () => {
    const both = object({ upper: member('Peers', text()), lower: member('peers', text()) })
    expect(both.decode({ Peers: 'A', peers: 'a' })).toEqual({ ok: true, value: { upper: 'A', lower: 'a' } })
  })

  test('never counts less than nothing', () => {
    for (const cores of [-1000, -1e308, 2_000_000]) {
      expect(resources.decode({ cpu: { cores } }).ok).toBe(false)
    }
    expect(quantity(4).decode(2.5)).toEqual({ ok: true, value: 2.5 })
  })
})
