import { errorMessage, type Millis, seconds, withTimeout } from '../base/index.ts'
import { CHECKS } from './checks.ts'
import { skipped } from './findings.ts'
import type { Check, CheckReport, Subject } from './types.ts'

/** How long one check may take. */
const CHECK_LIMIT: Millis = seconds(2)

/**
 * Looks at a machine from all sides at once. Changes nothing and never fails: a check that throws or takes longer than two
 * seconds is a finding itself.
 *
 * @returns The reports in the order of the checks.
 */
export async function examine(subject: Subject, checks: readonly Check[] = CHECKS): Promise<readonly CheckReport[]> {
  return await Promise.all(checks.map((check) => runCheck(check, subject)))
}

async function runCheck(check: Check, subject: Subject): Promise<CheckReport> {
  const { id, title } = check
  try {
    const findings = await withTimeout(subject.clock, CHECK_LIMIT, 'the check', () => check.run(subject))
    return { id, title, findings }
  } catch (error) {
    return { id, title, findings: [skipped(title, `could not be checked: ${errorMessage(error)}`)] }
  }
}
