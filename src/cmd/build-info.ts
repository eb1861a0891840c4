import { readFileSync } from 'node:fs'
import { hasErrno, isJsonObject, type JsonValue, parseJson, programBuild } from '../base/index.ts'

/** Which program this is. */
export interface BuildInfo {
  readonly version: string
  /** The commit it was built from, or `unknown`. */
  readonly commit: string
  /** When it was built, RFC 3339, or `unknown`. */
  readonly date: string
}

/**
 * What the bundler wrote into the program; for compiled modules, `version` of package.json and what the build wrote into
 * `build-info.json` beside them.
 */
export function buildInfo(): BuildInfo {
  const bundled = programBuild()
  if (bundled !== undefined) return { version: bundled.version, commit: bundled.commit, date: bundled.date }
  const manifest = readMembers('../../package.json')
  const build = readMembers('../build-info.json')
  return { version: textOf(manifest['version']), commit: textOf(build['commit']), date: textOf(build['date']) }
}

function readMembers(path: string): { readonly [name: string]: JsonValue } {
  try {
    const json = parseJson(readFileSync(new URL(path, import.meta.url), 'utf8'))
    return json.ok && isJsonObject(json.value) ? json.value : {}
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return {}
    throw error
  }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' && value !== '' ? value : 'unknown'
}
