import { fromNanos, type Millis } from '../../base/index.ts'
import { createVerifier, type Did } from '../../identity/index.ts'
import {
  type CallExplanation,
  type CallQuestion,
  type ContextView,
  explainCall,
  type Party,
  parseCapability,
  parseExpiry,
  type Token
} from '../../ucan/index.ts'
import type { Action, Flags } from '../command.ts'
import { contextsOf, readAllContexts, readContext } from '../contexts.ts'
import { readDid } from '../dids.ts'
import { UsageError } from '../errors.ts'
import { explanationToJson, explanationTree } from '../explanations.ts'
import type { Io } from '../io.ts'
import { namesOf } from '../names.ts'
import { printJson, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { readTokens } from '../tokens.ts'
import { renderTree } from '../tree.ts'

/**
 * `nunet cap explain --context C [--to D | --from D | --token T] <behavior>`: whether a call would be allowed, by which chain, or
 * which link is missing or broken. Needs no key; answers, and so ends with 0, also when the answer is no.
 */
export const explain: Action = async ({ args: [behavior = ''], flags }, io) => {
  const capability = parseCapability(behavior)
  if (!capability.ok) throw new UsageError(`the behavior must be a path such as /public/hello: ${capability.error.message}`)
  const given = flags.text('token')
  const tokens = given === undefined ? undefined : await readTokens(given, io)
  const { config } = await loadSettings(flags, io)
  const contexts = await readAllContexts(contextsOf(config, io))
  const sides = sidesOf(flags, await readContext(flags, io), contexts, tokens)
  const topic = flags.text('topic')
  const question: CallQuestion = {
    ...sides,
    capability: capability.value,
    ...(topic === undefined ? {} : { topic }),
    ...(tokens === undefined ? {} : { tokens }),
    now: instantOf(flags, io)
  }
  const explanation = await explainCall(question, { verifier: createVerifier(), random: io.random })
  if (!explanation.ok) throw new UsageError(explanation.error.message)
  await print(question, explanation.value, { flags, io, contexts })
}

interface Output {
  readonly flags: Flags
  readonly io: Io
  readonly contexts: ReadonlyMap<string, ContextView>
}

async function print(question: CallQuestion, explanation: CallExplanation, { flags, io, contexts }: Output): Promise<void> {
  const names = namesOf(contexts)
  if (flags.isOn('json')) return await printJson(io, explanationToJson(question, explanation, names))
  for (const line of renderTree(explanationTree(question, explanation, names))) await printLine(io, line)
}

/** Who calls whom. */
function sidesOf(
  flags: Flags,
  own: ContextView,
  contexts: ReadonlyMap<string, ContextView>,
  tokens: readonly Token[] | undefined
): Pick<CallQuestion, 'caller' | 'callee'> {
  const here = partyOf(own)
  const other = (did: Did): Party => {
    if (did === own.did) return here
    const view = [...contexts.values()].find((candidate) => candidate.did === did)
    return view === undefined ? { did } : partyOf(view)
  }
  const to = flags.text('to')
  if (to !== undefined) return { caller: here, callee: other(readDid(to, '--to')) }
  const from = flags.text('from')
  if (from !== undefined) return { caller: other(readDid(from, '--from')), callee: here }
  const [token] = tokens ?? []
  if (token === undefined) throw new UsageError('say with whom: --to or --from a DID, or --token for what somebody shows here')
  return { caller: { did: readDid(token.subject, 'the holder of the token') }, callee: here }
}

function partyOf({ did, anchors, setAside }: ContextView): Party {
  return { did, anchors, unusable: setAside.provide }
}

function instantOf(flags: Flags, io: Io): Millis {
  const text = flags.text('at')
  if (text === undefined) return io.clock.now()
  const instant = parseExpiry(text)
  if (!instant.ok) throw new UsageError(`--at: ${instant.error.message}`)
  return fromNanos(instant.value)
}
