import { describe, expect, test } from 'vitest'
import { millis, systemClock } from '../base/index.ts'
import { CHECKS } from './checks.ts'
import { examine } from './examine.ts'
import { bad, subjectOf } from './fixtures.ts'
import type { Check } from './types.ts'

const check = (id: string, run: Check['run']): Check => ({ id, title: id, run })

describe('examining', () => {
  test('goes on when a check throws or never ends, and says which', async () => {
    // A clock whose hours are milliseconds: the limit is over at once.
    const clock = { now: systemClock.now, sleep: (_: unknown, abort?: object) => systemClock.sleep(millis(1), abort) }
    const checks = [
      check('broken', () => Promise.reject(new Error('EIO: read'))),
      check('endless', () => new Promise(() => undefined)),
      check('good', async () => [{ subject: 'x', verdict: 'ok', found: 'y' }])
    ]
    const reports = await examine(await subjectOf({}, { clock }), checks)
    expect(reports.map(({ findings }) => findings[0])).toEqual([
      { subject: 'broken', verdict: 'skipped', found: 'could not be checked: EIO: read' },
      { subject: 'endless', verdict: 'skipped', found: 'could not be checked: the check did not finish within 2000 ms' },
      { subject: 'x', verdict: 'ok', found: 'y' }
    ])
  })

  test('finds something to do on every warning and problem of a machine that has nothing', async () => {
    const system = { mayWrite: async () => false, space: async () => undefined }
    const reports = await examine(await subjectOf({ system }))
    const findings = reports.flatMap((report) => report.findings)
    expect(bad(findings).length).toBeGreaterThan(5)
    for (const { verdict, advice, kind, subject } of findings) {
      if (verdict === 'warning' || verdict === 'problem') expect(advice, subject).toMatch(/\S/)
      if (verdict === 'problem') expect(kind, subject).toBeDefined()
    }
  })

  test('looks at everything that needs no configuration when that is broken', async () => {
    const config = { message: 'dms_config.json: in line 3, column 7', kind: 'invalid' } as const
    const reports = await examine(await subjectOf({}, { config }))
    const [file] = reports[0]?.findings ?? []
    expect(file).toMatchObject({ verdict: 'problem', found: config.message, kind: 'invalid', command: 'nunet config edit' })
    expect(reports.map(({ id }) => id)).toEqual(CHECKS.map(({ id }) => id))
    expect(reports.find(({ id }) => id === 'hardware')?.findings.length).toBeGreaterThan(3)
    expect(reports.find(({ id }) => id === 'directories')?.findings).toMatchObject([{ verdict: 'skipped' }])
  })
})
