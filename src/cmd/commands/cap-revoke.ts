import { isJsonObject, type JsonValue } from '../../base/index.ts'
import { createSession } from '../../client/index.ts'
import type { Did } from '../../identity/index.ts'
import { type ContextFile, encodeToken, MAX_TOKENS, type Token } from '../../ucan/index.ts'
import { clientOf } from '../clients.ts'
import type { Action, Flags } from '../command.ts'
import { issuedBy, openContext, tellDms } from '../contexts.ts'
import { readDid } from '../dids.ts'
import { AnchorRefusedError, NothingIssuedError, NothingToBroadcastError, RefusedReplyError, UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { note, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { readTokens, tokenListToJson } from '../tokens.ts'
import { failureIn } from './actor-cmd.ts'

/**
 * `nunet cap revoke <token>`: one revocation per line on stdout (A §12.2). Anchored only when told to, as there: the tokens may have
 * been given for use at other nodes, and a script may want to look first.
 */
export const revoke: Action = async ({ args: [text], flags }, io) => {
  const recipient = flags.text('all-to')
  if ((text === undefined) === (recipient === undefined)) throw new UsageError('either a token or --all-to <did> is needed')
  const given = text === undefined ? [] : await readTokens(text, io)
  const subject = recipient === undefined ? undefined : readDid(recipient, '--all-to')
  const file = await openContext(flags, io)
  const tokens = subject === undefined ? given : await issuedTo(subject, flags, io)
  const revocations: Token[] = []
  for (const token of tokens) revocations.push(await file.context.revoke(token))
  if (flags.isOn('anchor')) await anchorAll(revocations, file, flags, io)
  for (const revocation of revocations) await printLine(io, encodeToken(revocation))
  if (!flags.isOn('anchor')) {
    await note(
      io,
      'Nothing has changed yet: a revocation counts where it is anchored (--anchor) and where cap broadcast carries it'
    )
  }
}

/** `nunet cap broadcast`: has the running DMS tell every node; prints how many revocations it published. */
export const broadcast: Action = async ({ flags }, io) => {
  const text = flags.text('token')
  const given = text === undefined ? [] : await readTokens(text, io)
  const other = given.find(({ action }) => action !== 'revoke')
  if (other !== undefined)
    throw new UsageError(`the token is no revocation but one for ${other.action}; cap revoke makes one of it`)
  const { config } = await loadSettings(flags, io)
  const { context } = await openContext(flags, io)
  const client = clientOf(config, io)
  const isItsOwn = (await client.handle()).did === context.did
  // Revocations of another context have to travel: the node knows only its own.
  const tokens = given.length > 0 || isItsOwn ? given : context.list(io.clock.now()).revoke
  if (tokens.length === 0 && !isItsOwn) {
    throw new NothingToBroadcastError(
      'this context has no revocations that have not expired; make one with: nunet cap revoke --anchor'
    )
  }
  const session = createSession({ client, context, clock: io.clock, random: io.random })
  let count = 0
  const notices = new Set<string>()
  for (const payload of payloadsOf(tokens)) {
    const reply = await session.invoke({ behavior: '/dms/cap/revoke/broadcast', payload })
    count += countIn(reply)
    for (const notice of noticesIn(reply)) notices.add(notice)
  }
  for (const notice of notices) await note(io, `Warning: ${notice}`)
  await printLine(io, String(count))
}

/** The requests for so many tokens; without any, the node is asked for all that it has. */
function payloadsOf(tokens: readonly Token[]): readonly JsonValue[] {
  if (tokens.length === 0) return [{ Context: '' }]
  const starts = Array.from({ length: Math.ceil(tokens.length / MAX_TOKENS) }, (_, index) => index * MAX_TOKENS)
  return starts.map((start) => ({ Token: tokenListToJson(tokens.slice(start, start + MAX_TOKENS)) }))
}

function countIn(reply: JsonValue): number {
  const failure = failureIn(reply)
  if (failure !== undefined) throw new RefusedReplyError(failure)
  const count = isJsonObject(reply) ? reply['TokensCount'] : undefined
  if (typeof count !== 'number') throw new RefusedReplyError('the node did not say how many revocations it published')
  return count
}

function noticesIn(reply: JsonValue): readonly string[] {
  const notices = isJsonObject(reply) ? reply['Notices'] : undefined
  return Array.isArray(notices) ? notices.filter((notice): notice is string => typeof notice === 'string') : []
}

async function issuedTo(subject: Did, flags: Flags, io: Io): Promise<readonly Token[]> {
  const issued = await (await issuedBy(flags, io)).list()
  const tokens = issued.flatMap(({ token }) => (token.subject === subject ? [token] : []))
  if (tokens.length > 0) return tokens
  throw new NothingIssuedError(
    `this context has no record of an unexpired token for ${subject}; see nunet cap issued, or give the token itself`
  )
}

async function anchorAll(revocations: readonly Token[], file: ContextFile, flags: Flags, io: Io): Promise<void> {
  await file.update((context) => {
    for (const token of revocations) {
      const anchored = context.anchor({ kind: 'revoke', token }, io.clock.now())
      if (!anchored.ok) throw new AnchorRefusedError(`cannot anchor the revocation: ${anchored.error.message}`)
    }
  })
  await note(io, `Anchored in ${file.path}`)
  await tellDms(file.context, flags, io)
}
