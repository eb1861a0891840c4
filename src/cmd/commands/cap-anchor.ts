import { hours, millis, toNanos } from '../../base/index.ts'
import { parseDid } from '../../identity/index.ts'
import { type Anchor, encodeToken, type Token } from '../../ucan/index.ts'
import { addAnchors } from '../anchors.ts'
import { tokenToJson } from '../chains.ts'
import type { Action, Flags } from '../command.ts'
import { openContext, readContext, tellDms } from '../contexts.ts'
import { readDid } from '../dids.ts'
import { NoAnchorError, UsageError } from '../errors.ts'
import { describeExpiry } from '../expiries.ts'
import type { Io } from '../io.ts'
import { note, printJson, printLine } from '../output.ts'
import { readTokens } from '../tokens.ts'

const TOKEN_KINDS = ['require', 'provide', 'revoke'] as const

/** How long before its end a token is warned about. */
const WARNING_TIME = hours(7 * 24)

/** `nunet cap anchor`: adds all anchors or, when one of them is refused, none. Prints nothing on stdout. */
export const anchor: Action = async ({ flags }, io) => {
  const anchors = await readAnchors(flags, io)
  for (const candidate of anchors) if (candidate.kind === 'root') readDid(candidate.did, '--root')
  const file = await openContext(flags, io)
  const added = await addAnchors(file, anchors, io)
  await note(io, `${added === 0 ? 'Already there: nothing was changed' : 'Anchored'} in ${file.path}`)
  if (added > 0) await tellDms(file.context, flags, io)
}

/** `nunet cap remove`: anchors that do not exist are an error, as removing them would do nothing (A §14, W14). */
export const remove: Action = async ({ flags }, io) => {
  const anchors = await readAnchors(flags, io)
  const file = await openContext(flags, io)
  const removed = await file.update((context) => anchors.filter((candidate) => context.remove(candidate)))
  if (removed.length === 0) throw new NoAnchorError(`no such anchor in ${file.path}: nothing was removed`)
  await note(io, `Removed from ${file.path}`)
  await tellDms(file.context, flags, io)
}

/** `nunet cap list`: four sections, under each a line of TAB and DID, or TAB and token (A §12.2). Needs no key. */
export const list: Action = async ({ flags }, io) => {
  const { did, seal, anchors } = await readContext(flags, io, { acceptChanged: flags.isOn('unsigned-ok') })
  const { roots, ...tokens } = anchors
  await warnOfEnds([...tokens.require, ...tokens.provide], io)
  if (flags.isOn('json')) {
    const lists = TOKEN_KINDS.map((kind) => [kind, tokens[kind].map(tokenToJson)] as const)
    return await printJson(io, { did, seal, roots, ...Object.fromEntries(lists) })
  }
  await printSection(io, 'roots', roots)
  for (const kind of TOKEN_KINDS) await printSection(io, kind, tokens[kind].map(encodeToken))
}

/** Anchors have to be renewed by hand: whoever looks at them is told in time. */
async function warnOfEnds(tokens: readonly Token[], io: Io): Promise<void> {
  const now = io.clock.now()
  const limit = toNanos(millis(now + WARNING_TIME))
  for (const { issuer, subject, expiresAt } of tokens.filter((token) => token.expiresAt < limit)) {
    await note(io, `Warning: the token of ${issuer} for ${subject} ends at ${describeExpiry(expiresAt, now)}`)
  }
}

async function printSection(io: Io, name: string, entries: readonly string[]): Promise<void> {
  await printLine(io, `${name}:`)
  for (const entry of entries) await printLine(io, `\t${entry}`)
}

async function readAnchors(flags: Flags, io: Io): Promise<readonly Anchor[]> {
  const root = flags.text('root')
  if (root !== undefined) {
    const did = parseDid(root.trim())
    if (!did.ok) throw new UsageError(`--root must be a DID: ${did.error.message}`)
    return [{ kind: 'root', did: did.value }]
  }
  const kind = TOKEN_KINDS.find((name) => flags.isSet(name))
  if (kind === undefined) throw new UsageError('one of --root, --require, --provide and --revoke is needed')
  return (await readTokens(flags.text(kind) ?? '', io)).map((token) => ({ kind, token }))
}
