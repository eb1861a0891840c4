import type { ErrorKind } from '../base/index.ts'
import type { Config } from '../config/index.ts'
import type { ConfigTrouble, Finding, Subject } from './types.ts'

/** As it should be. */
export function ok(subject: string, found: string): Finding {
  return { subject, verdict: 'ok', found }
}

/** Not looked at, and why. */
export function skipped(subject: string, found: string): Finding {
  return { subject, verdict: 'skipped', found }
}

/** What to do about a finding. */
export interface Remedy {
  readonly advice: string
  readonly command?: string
}

/** Works, but should be mended. */
export function warning(subject: string, found: string, remedy: Remedy): Finding {
  return { subject, verdict: 'warning', found, ...remedy }
}

/** Does not work. */
export function problem(subject: string, found: string, remedy: Remedy & { readonly kind: ErrorKind }): Finding {
  return { subject, verdict: 'problem', found, ...remedy }
}

/** The values of the configuration in force; nothing when it cannot be read. */
export function valuesOf({ config }: Subject): Config | undefined {
  return isTrouble(config) ? undefined : config.config
}

/** Whether the configuration cannot be used. */
export function isTrouble(config: Subject['config']): config is ConfigTrouble {
  return 'kind' in config
}

/** What checks say that cannot look without a configuration. */
export function withoutConfig(subject: string): readonly Finding[] {
  return [skipped(subject, 'not looked at, because the configuration cannot be read')]
}

/** A size for people: `15.6 GiB`, `512 MiB`. */
export function showBytes(size: number): string {
  const [unit, factor] = size >= 2 ** 30 ? ['GiB', 2 ** 30] : ['MiB', 2 ** 20]
  return `${Number((size / Number(factor)).toFixed(1))} ${unit}`
}

/** A path as a shell takes it, for the command of a remedy. */
export function shellPath(path: string): string {
  return /^[A-Za-z0-9_./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
