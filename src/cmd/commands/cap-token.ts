import { encodeTokenList, type GrantRequest, NotDelegableError, type Token } from '../../ucan/index.ts'
import type { Action, Invocation } from '../command.ts'
import { openContext, recordIssued } from '../contexts.ts'
import { readDid } from '../dids.ts'
import { UsageError } from '../errors.ts'
import { expiryIn } from '../expiries.ts'
import type { Io } from '../io.ts'
import { note, printLine } from '../output.ts'

/** `nunet cap grant <did>`: stdout has one line with the token list; the context is not changed (A §12.2). */
export const grant: Action = async (invocation, io) => {
  const { flags } = invocation
  if (flags.isSet('expiry') && flags.isSet('duration')) await note(io, 'Warning: --duration is ignored beside --expiry')
  const request = requestOf(invocation, expiryIn(flags, io.clock.now()))
  const { context } = await openContext(flags, io)
  const tokens = [await context.grant(request)]
  await recordIssued(tokens, flags, io)
  await printLine(io, encodeTokenList(tokens))
}

/** `nunet cap delegate <did>`: tokens chained on the provide anchors that allow all of it, alone or together, in one line. */
export const delegate: Action = async (invocation, io) => {
  const { flags } = invocation
  const selfSign = flags.text('self-sign') ?? 'no'
  if (!['no', 'also', 'only'].includes(selfSign)) throw new UsageError(`--self-sign must be no, also or only, not ${selfSign}`)
  const isAutomatic = flags.isOn('auto-expire')
  if (isAutomatic && selfSign !== 'no')
    throw new UsageError('--auto-expire takes the expiry of an anchor; a self-signed token has none')
  const now = io.clock.now()
  const request = requestOf(invocation, isAutomatic ? 0n : expiryIn(flags, now))
  const { context } = await openContext(flags, io)
  const selfSigned: readonly Token[] = selfSign === 'no' ? [] : [await context.grant(request)]
  const chained = selfSign === 'only' ? [] : await chainedOf(context.delegate(request, now), selfSigned.length > 0, io)
  if (chained.length > 1 && chained.every(({ capabilities }) => (capabilities?.length ?? 0) < request.capabilities.length)) {
    await note(io, `No single provide anchor allows all of it: ${chained.length} tokens together do; anchor the whole list`)
  }
  const tokens = [...chained, ...selfSigned]
  await recordIssued(tokens, flags, io)
  await printLine(io, encodeTokenList(tokens))
}

/** With a token of our own as well, as `also` means, that no anchor allows all of it is only worth a warning. */
async function chainedOf(delegation: Promise<readonly Token[]>, hasOwn: boolean, io: Io): Promise<readonly Token[]> {
  try {
    return await delegation
  } catch (error) {
    if (!hasOwn || !(error instanceof NotDelegableError)) throw error
    await note(io, `Warning: only a self-signed token is printed: ${error.message}`)
    return []
  }
}

function requestOf({ args: [subject = ''], flags }: Invocation, expiresAt: bigint): GrantRequest {
  const audience = flags.text('audience')
  if (audience !== undefined) readDid(audience, 'the audience')
  return {
    subject: readDid(subject, 'the subject'),
    capabilities: flags.list('cap'),
    topics: flags.list('topic'),
    expiresAt,
    depth: BigInt(flags.number('depth') ?? 0),
    ...(audience === undefined ? {} : { audience })
  }
}
