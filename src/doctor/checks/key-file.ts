import { isJsonObject, type JsonValue, parseJson } from '../../base/index.ts'
import { ok, problem, shellPath, skipped, warning } from '../findings.ts'
import type { Finding } from '../types.ts'

/** What the key file is made of, from the outside. */
interface KeyFileLike {
  readonly name: string
  readonly path: string
  readonly content?: string
}

/** Work that a guess of the passphrase costs, in N·r·p; half of what OWASP asks for is called weak. */
const LEAST_COST = 2 ** 16 * 8

/** Pure. Looks at a key file (A §6) without opening it. */
export function judgeKeyFile({ name, path, content }: KeyFileLike): readonly Finding[] {
  const subject = `key ${name}`
  if (content === undefined) return [skipped(subject, `${path} may not be read by this user`)]
  const parameters = parametersIn(content)
  if (parameters === undefined) {
    return [
      problem(subject, `${path} is no key file`, {
        advice: 'Put the newest copy beside it, or your backup, in its place.',
        command: `ls -t ${shellPath(path)}.*`,
        kind: 'invalid'
      })
    ]
  }
  const { n, r, p } = parameters
  const shown = `scrypt n=${n} r=${r} p=${p}`
  if (n * r * p >= LEAST_COST) return [ok(subject, shown)]
  return [
    warning(subject, `${shown}: passphrases can be guessed fast`, {
      advice: 'Change its passphrase, which encrypts it anew with the usual cost.',
      command: `nunet key passphrase ${name}`
    })
  ]
}

function parametersIn(content: string): { readonly n: number; readonly r: number; readonly p: number } | undefined {
  const json = parseJson(content)
  const crypto = json.ok ? memberOf(json.value, 'crypto') : undefined
  const parameters = memberOf(crypto, 'kdfparams')
  const [n, r, p] = ['n', 'r', 'p'].map((name) => memberOf(parameters, name))
  return typeof n === 'number' && typeof r === 'number' && typeof p === 'number' ? { n, r, p } : undefined
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}
