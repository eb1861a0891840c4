import { DmsError, type JsonValue } from '../../base/index.ts'
import type { CheckReport, Finding, Subject, Verdict } from '../../doctor/index.ts'
import type { Action, Flags } from '../command.ts'
import { UnhealthyError } from '../errors.ts'
import type { Io } from '../io.ts'
import { oneLine, printJson } from '../output.ts'
import { withProgress } from '../progress.ts'
import { type Screen, type Style, styled, wrapTo } from '../screen.ts'
import { loadSettings } from '../settings.ts'

/**
 * `nunet doctor`: examines the machine; the findings are on stdout, as JSON with `--json`.
 *
 * @throws UnhealthyError with the kind of the first problem; with `--strict` a warning is one, of kind `unavailable`.
 */
export const doctor: Action = async ({ flags }, io) => {
  const config = await loadOrExplain(flags, io)
  const { checkMachine } = await import('../../checkup.ts')
  const options = {
    config,
    contextName: flags.text('context') ?? '',
    home: io.home,
    environment: io.environment,
    needsGpu: flags.isOn('gpu'),
    clock: io.clock
  }
  const reports = await withProgress(io, { text: 'looking at this machine' }, () => checkMachine(options))
  if (flags.isOn('json')) await printJson(io, toJson(reports))
  else await io.stdout.write(renderReports(reports, io.stdout.screen))
  refuseUnhealthy(reports, flags.isOn('strict'))
}

/** A configuration that cannot be read is a finding like others. */
async function loadOrExplain(flags: Flags, io: Io): Promise<Subject['config']> {
  try {
    return await loadSettings(flags, io)
  } catch (error) {
    if (error instanceof DmsError) return { message: error.message, kind: error.kind }
    throw error
  }
}

/** Decides about the exit code. */
export function refuseUnhealthy(reports: readonly CheckReport[], isStrict: boolean): void {
  const counts = countVerdicts(reports)
  const [first] = reports.flatMap(({ findings }) => findings.filter(({ verdict }) => verdict === 'problem'))
  if (first !== undefined)
    throw new UnhealthyError(
      `${plural(counts.problem, 'problem')}; the first: ${first.subject}: ${first.found}`,
      first.kind ?? 'unavailable'
    )
  if (isStrict && counts.warning > 0) throw new UnhealthyError(`${plural(counts.warning, 'warning')} (--strict)`, 'unavailable')
}

const MARKS: Readonly<Record<Verdict, readonly [mark: string, style: Style]>> = {
  ok: ['✓', 'green'],
  warning: ['!', 'yellow'],
  problem: ['✗', 'red'],
  skipped: ['-', 'dim']
}

/** Longest verdict. */
const VERDICT_WIDTH = 7

/** The findings for people: under each title a line for each, with what to do below it; a mark for its verdict on a screen. */
export function renderReports(reports: readonly CheckReport[], screen: Screen | undefined): string {
  const sections = reports
    .filter(({ findings }) => findings.length > 0)
    .map(({ title, findings }) =>
      [styled(title, 'bold', screen), ...findings.flatMap((finding) => renderFinding(finding, screen))].join('\n')
    )
  return `${[...sections, renderCounts(countVerdicts(reports))].join('\n\n')}\n`
}

function renderFinding({ subject, verdict, found, advice, command }: Finding, screen: Screen | undefined): readonly string[] {
  const [mark, style] = MARKS[verdict]
  const shown = screen === undefined ? verdict.padEnd(VERDICT_WIDTH) : styled(mark, style, screen)
  const indent = screen === undefined ? VERDICT_WIDTH + 3 : 4
  const [first = '', ...more] = fitted(`${oneLine(subject)}: ${oneLine(found)}`, indent, screen)
  const advised = advice === undefined ? [] : fitted(oneLine(advice), indent, screen)
  const blank = ' '.repeat(indent)
  return [
    `  ${shown} ${first}`,
    ...[...more, ...advised].map((line) => blank + line),
    // a command stays on one line, to be copied
    ...(command === undefined ? [] : [`${blank}  ${styled(oneLine(command), 'bold', screen)}`])
  ]
}

function fitted(text: string, indent: number, screen: Screen | undefined): readonly string[] {
  return screen === undefined ? [text] : wrapTo(text, screen.columns - indent)
}

type Counts = Readonly<Record<Verdict, number>>

function countVerdicts(reports: readonly CheckReport[]): Counts {
  const verdicts = reports.flatMap(({ findings }) => findings.map(({ verdict }) => verdict))
  const count = (wanted: Verdict): number => verdicts.filter((verdict) => verdict === wanted).length
  return { ok: count('ok'), warning: count('warning'), problem: count('problem'), skipped: count('skipped') }
}

function renderCounts({ ok, warning, problem, skipped }: Counts): string {
  return `${ok} ok, ${plural(warning, 'warning')}, ${plural(problem, 'problem')}, ${skipped} not looked at`
}

function plural(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}

/** For programs: `{ "summary": { … }, "checks": [ { "id", "title", "findings": [ … ] } ] }`. */
function toJson(reports: readonly CheckReport[]): JsonValue {
  return {
    summary: { ...countVerdicts(reports) },
    checks: reports.map(({ id, title, findings }) => ({ id, title, findings: findings.map((finding) => ({ ...finding })) }))
  }
}
