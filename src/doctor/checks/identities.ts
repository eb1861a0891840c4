import type { Millis, Result } from '../../base/index.ts'
import { createVerifier, publicKeyOf } from '../../identity/index.ts'
import { type ContextSeal, parseContextFile } from '../../ucan/index.ts'
import { type ContextSummary, endOf, summarizeContext } from '../context-summary.ts'
import { ok, problem, shellPath, skipped, valuesOf, warning, withoutConfig } from '../findings.ts'
import type { Check, FileStatus, Finding, Subject, System } from '../types.ts'
import { judgeKeyFile } from './key-file.ts'
import { judgeLeftovers, type Leftovers, readLeftovers } from './leftovers.ts'

/** A file of the user directory with what it says. */
export interface PrivateFile<T> {
  readonly name: string
  readonly path: string
  readonly status: FileStatus
  /** Missing when this user may not read it. */
  readonly content?: T
}

/** A context file, and whether it was last saved with its own key; that is missing when it cannot be told. */
export interface ContextFacts extends PrivateFile<Result<ContextSummary, string>> {
  readonly seal?: ContextSeal
}

/** What was found in the user directory. */
export interface IdentityFacts {
  readonly now: Millis
  /** The key and context of the daemon. */
  readonly contextName: string
  /** Owner of the user directory. */
  readonly owner?: number
  /** Whether the configuration names peers to meet a network through. */
  readonly isInNetwork: boolean
  readonly keys: readonly PrivateFile<string>[]
  readonly contexts: readonly ContextFacts[]
  readonly leftovers: Leftovers
}

/** Tokens that end sooner are told. */
const SOON = 7 * 86_400_000

/** Looks at keys and capability contexts; opens none of them, so it needs no passphrase. */
export const identities: Check = {
  id: 'identities',
  title: 'Keys and contexts',
  async run(subject) {
    const config = valuesOf(subject)
    if (config === undefined) return withoutConfig('keys and contexts')
    const { user_dir: directory } = config.general
    if (await isHidden(subject.system, directory))
      return [skipped('keys and contexts', `${directory} may not be read by this user`)]
    return judgeIdentities(await readIdentities(subject, directory, config.p2p.bootstrap_peers.length > 0))
  }
}

/** Otherwise what may not be seen would count as missing. */
async function isHidden(system: System, directory: string): Promise<boolean> {
  return (await system.status(directory)) !== undefined && (await system.names(directory)) === undefined
}

async function readIdentities(subject: Subject, directory: string, isInNetwork: boolean): Promise<IdentityFacts> {
  const { system, clock, contextName } = subject
  const owner = (await system.status(directory))?.uid
  const contexts = await readFiles(system, `${directory}/cap`, '.cap')
  return {
    now: clock.now(),
    contextName,
    ...(owner === undefined ? {} : { owner }),
    isInNetwork,
    keys: await readFiles(system, `${directory}/key`, '.json'),
    contexts: contexts.map(({ content, ...file }) => ({
      ...file,
      ...(content === undefined ? {} : { content: summarizeContext(content), ...sealOf(content, clock.now()) })
    })),
    leftovers: await readLeftovers(subject, [`${directory}/key`, `${directory}/cap`])
  }
}

function sealOf(text: string, now: Millis): Pick<ContextFacts, 'seal'> {
  const content = parseContextFile(text, now, createVerifier())
  return content.ok ? { seal: content.value.seal } : {}
}

async function readFiles(system: System, directory: string, extension: string): Promise<readonly PrivateFile<string>[]> {
  const files: PrivateFile<string>[] = []
  for (const entry of (await system.names(directory)) ?? []) {
    if (!entry.endsWith(extension) || entry.startsWith('.')) continue
    const path = `${directory}/${entry}`
    const status = await system.status(path)
    if (status?.type !== 'file') continue
    const content = await system.text(path)
    files.push({ name: entry.slice(0, -extension.length), path, status, ...(content === undefined ? {} : { content }) })
  }
  return files
}

/** Pure. */
export function judgeIdentities(facts: IdentityFacts): readonly Finding[] {
  const { keys, contexts, contextName, owner } = facts
  return [
    ...judgePresence(facts),
    ...keys.flatMap((key) => [...judgeAccess(`key ${key.name}`, key, owner), ...judgeKeyFile(key)]),
    ...contexts.flatMap((file) => [...judgeAccess(`context ${file.name}`, file, owner), ...judgeContext(file, facts)]),
    ...judgePairs(keys, contexts, contextName),
    ...judgeLeftovers(facts.leftovers)
  ]
}

function judgePresence({ keys, contexts, contextName }: IdentityFacts): readonly Finding[] {
  const missing = [
    ...(keys.some(({ name }) => name === contextName) ? [] : ['key']),
    ...(contexts.some(({ name }) => name === contextName) ? [] : ['capability context'])
  ]
  if (missing.length === 0) return []
  return [
    warning(`identity ${contextName}`, `there is no ${missing.join(' and no ')} with name ${contextName}`, {
      advice: 'The daemon needs both. Make them, and the rest, with:',
      command: 'nunet setup'
    })
  ]
}

/** The program writes such files with mode 0600; NuNet's Go program leaves 0644. */
function judgeAccess(subject: string, { path, status }: PrivateFile<unknown>, owner: number | undefined): readonly Finding[] {
  if ((status.mode & 0o022) !== 0) {
    return [
      problem(subject, `${path} may be written to by others (mode ${status.mode.toString(8)})`, {
        advice: 'Whoever writes there decides who may do what:',
        command: `chmod 600 ${shellPath(path)}`,
        kind: 'forbidden'
      })
    ]
  }
  if (owner !== undefined && status.uid !== owner) {
    return [
      problem(subject, `${path} belongs to user ${status.uid}, its directory to user ${owner}`, {
        advice: 'The daemon cannot use it; commands were run as another user.',
        command: `sudo chown ${owner} ${shellPath(path)}`,
        kind: 'forbidden'
      })
    ]
  }
  if ((status.mode & 0o044) === 0) return []
  return [
    warning(subject, `${path} may be read by others (mode ${status.mode.toString(8)})`, {
      advice: 'Keep it to yourself:',
      command: `chmod 600 ${shellPath(path)}`
    })
  ]
}

function judgeContext(file: IdentityFacts['contexts'][number], facts: IdentityFacts): readonly Finding[] {
  const subject = `context ${file.name}`
  if (file.content === undefined) return [skipped(subject, `${file.path} may not be read by this user`)]
  if (!file.content.ok) {
    return [
      problem(subject, `${file.path} is no capability context: ${file.content.error}`, {
        advice: 'Put the newest copy beside it in its place.',
        command: `ls -t ${shellPath(file.path)}.*`,
        kind: 'invalid'
      })
    ]
  }
  const summary = file.content.value
  const findings = [
    ...judgeSeal(subject, file),
    ...judgeTokens(subject, summary, facts.now),
    ...(file.name === facts.contextName ? judgeAnchors(subject, summary, facts) : [])
  ]
  if (findings.length > 0) return findings
  return [
    ok(
      subject,
      `${summary.did}: ${summary.roots.length} root, ${summary.require.length} require, ${summary.provide.length} provide`
    )
  ]
}

function judgeSeal(subject: string, { name, path, seal }: ContextFacts): readonly Finding[] {
  const command = `nunet cap seal --context ${name}`
  if (seal === 'broken') {
    return [
      problem(subject, `${path} was changed, but not with its key: every command refuses it`, {
        advice: 'Whoever changed it may have made himself root. It is shown before you agree to it:',
        command,
        kind: 'forbidden'
      })
    ]
  }
  if (seal !== 'unsigned') return []
  return [
    warning(subject, `${path} carries no signature of its key, as files of the Go program`, {
      advice: 'A change by somebody else would not be noticed. It is shown before you sign it:',
      command
    })
  ]
}

function judgeTokens(subject: string, { require, provide, unreadable }: ContextSummary, now: Millis): readonly Finding[] {
  const ends = [...require, ...provide].map(endOf)
  const expired = ends.filter((end) => end <= now)
  const soon = ends.filter((end) => end > now && end <= now + SOON)
  const renew = 'Renew it: ask its issuer for a new token, or grant again, and anchor that; nunet setup does your part.'
  return [
    ...(expired.length === 0
      ? []
      : [
          warning(subject, `${count(expired.length, 'token')} expired, and not used any more`, {
            advice: renew,
            command: 'nunet setup'
          })
        ]),
    ...(soon.length === 0
      ? []
      : [
          warning(subject, `${count(soon.length, 'token')} expire soon, the first at ${dateOf(Math.min(...soon))}`, {
            advice: renew,
            command: 'nunet setup'
          })
        ]),
    ...(unreadable === 0
      ? []
      : [
          warning(subject, `${count(unreadable, 'entry', 'entries')} set aside, because they cannot be read`, {
            advice: `Nothing is lost: they stay in the file. nunet cap list -c ${subject.replace('context ', '')} tells which.`
          })
        ])
  ]
}

function judgeAnchors(subject: string, { roots, require, provide }: ContextSummary, facts: IdentityFacts): readonly Finding[] {
  const findings: Finding[] = []
  const usable = (tokens: ContextSummary['require']) => tokens.some((token) => endOf(token) > facts.now)
  if (roots.length === 0) {
    findings.push(
      warning(subject, 'no root anchor: nobody but the daemon itself may control it', {
        advice: 'Give yourself every right on it:',
        command: `nunet cap anchor --context ${facts.contextName} --root "$(nunet key did user)"`
      })
    )
  }
  if (facts.isInNetwork && !usable(require)) {
    findings.push(
      warning(subject, 'no require anchor in force: members of the network get no answer from this node', {
        advice: 'Join a network:',
        command: 'nunet setup'
      })
    )
  }
  if (facts.isInNetwork && !usable(provide)) {
    findings.push(
      warning(subject, 'no provide anchor in force: this node gets no answer from members of the network', {
        advice: 'Ask the organisation that runs the network for a token, then:',
        command: 'nunet setup'
      })
    )
  }
  return findings
}

function judgePairs(keys: IdentityFacts['keys'], contexts: IdentityFacts['contexts'], contextName: string): readonly Finding[] {
  const keyNames = keys.map(({ name }) => name)
  const contextNames = contexts.map(({ name }) => name)
  return [
    ...keyNames
      .filter((name) => !contextNames.includes(name) && name !== contextName)
      .map((name) =>
        warning(`key ${name}`, 'has no capability context', {
          advice: 'Make one, to grant and to speak in its name:',
          command: `nunet cap new ${name}`
        })
      ),
    ...contextNames
      .filter((name) => !keyNames.includes(name) && name !== contextName)
      .map((name) =>
        skipped(`context ${name}`, isOfWallet(contexts, name) ? 'belongs to a wallet' : 'has no key here: it is kept elsewhere')
      )
  ]
}

function isOfWallet(contexts: IdentityFacts['contexts'], wanted: string): boolean {
  const content = contexts.find(({ name }) => name === wanted)?.content
  const key = content?.ok === true ? publicKeyOf(content.value.did) : undefined
  return key?.ok === true && (key.value.type === 'eth' || key.value.type === 'cardano')
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}

function dateOf(instant: number): string {
  return new Date(instant).toISOString().slice(0, 10)
}
