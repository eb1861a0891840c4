import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CheckReport, Finding } from '../../doctor/index.ts'
import { UnhealthyError } from '../errors.ts'
import { call } from '../fixtures.ts'
import { refuseUnhealthy, renderReports } from './doctor.ts'

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-doctor-'))
})
afterEach(() => rm(home, { recursive: true }))

const report = (...findings: readonly Finding[]): readonly CheckReport[] => [{ id: 'x', title: 'X', findings }]
const fine: Finding = { subject: 'a', verdict: 'ok', found: 'b' }
const warned: Finding = { subject: 'a', verdict: 'warning', found: 'b\u001b[2J', advice: 'do', command: 'it' }
const broken: Finding = { subject: 'a', verdict: 'problem', found: 'b', advice: 'do', kind: 'conflict' }

describe('nunet doctor', () => {
  test('fails by the kind of the first problem, and with --strict for warnings', () => {
    expect(() => refuseUnhealthy(report(warned, broken), false)).toThrow(UnhealthyError)
    expect(() => refuseUnhealthy(report(warned, broken), false)).toThrow(expect.objectContaining({ kind: 'conflict' }))
    expect(() => refuseUnhealthy(report(fine, warned), true)).toThrow(expect.objectContaining({ kind: 'unavailable' }))
    expect(() => refuseUnhealthy(report(fine, warned), false)).not.toThrow()
    expect(() => refuseUnhealthy(report(fine), true)).not.toThrow()
  })

  test('prints words in a pipe, marks on a screen, and what to do below', () => {
    expect(renderReports(report(fine, warned), undefined)).toBe(
      'X\n  ok      a: b\n  warning a: b\\u001b[2J\n          do\n            it\n\n1 ok, 1 warning, 0 problems, 0 not looked at\n'
    )
    const onScreen = renderReports(report(warned), { columns: 80, hasColors: true, canRedraw: true })
    expect(onScreen).toContain('\u001b[33m!\u001b[39m a: b\\u001b[2J\n    do\n      \u001b[1mit\u001b[22m')
  })

  test('reports a broken configuration with its place, and exits by it', async () => {
    await writeFile(join(home, 'dms_config.json'), '{\n  "rest": { "port" 1 }\n}')
    const { code, stdout, stderr } = await call(home, ['doctor'])
    expect(code).toBe(2)
    expect(stdout).toMatch(/problem file: .*dms_config\.json: .*line 2, column/)
    expect(stderr).toMatch(/^Error: 1 problem|^Error: \d+ problems/)
  })

  test('prints JSON with --json, and nothing else on stdout', async () => {
    const { stdout } = await call(home, ['doctor', '--json', '--rest-port', '0'])
    const printed = JSON.parse(stdout) as { summary: Record<string, number>; checks: CheckReport[] }
    expect(printed.checks.map(({ id }) => id)).toContain('hardware')
    const verdicts = printed.checks.flatMap(({ findings }) => findings.map(({ verdict }) => verdict))
    expect(Object.values(printed.summary).reduce((sum, count) => sum + count, 0)).toBe(verdicts.length)
  })

  test('needs no passphrase and no terminal, and changes nothing', async () => {
    await call(home, ['cap', 'new', 'dms'])
    const files = () => readdir(home, { recursive: true })
    const before = await files()
    const { stdout } = await call(home, ['doctor'], { passphrase: '' })
    expect(await files()).toEqual(before)
    expect(stdout).toContain('key dms: scrypt n=2 r=1 p=1: passphrases can be guessed fast')
  })
})
