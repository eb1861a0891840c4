import { decodeEnvelope } from '../../actor/index.ts'
import { fromUtf8 } from '../../base/index.ts'
import { createVerifier } from '../../identity/index.ts'
import {
  type Inspection,
  inspectToken,
  parseContextFile,
  parseTokens,
  type Revocations,
  readableEntries,
  revocationKey,
  type Token
} from '../../ucan/index.ts'
import { chainBranches, describeChain, inspectionToJson } from '../chains.ts'
import type { Action, Flags } from '../command.ts'
import { contextsOf, readAllContexts } from '../contexts.ts'
import { TokenRefusedError, UsageError } from '../errors.ts'
import { describeExpiry } from '../expiries.ts'
import type { Io } from '../io.ts'
import { type Names, namesOf } from '../names.ts'
import { printJson, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { readTokens, readTokenText } from '../tokens.ts'
import { renderTree } from '../tree.ts'

/** A token, and where in the input it stood: `token`, or `require` and the like in a context file. */
interface Found {
  readonly place: string
  readonly token: Token
}

/**
 * `nunet cap inspect <token|file|->`: takes tokens apart; needs no key. What is in a context file or a message is found too.
 *
 * @throws TokenRefusedError with `--check`, when one of them does not hold.
 */
export const inspect: Action = async ({ args: [text = ''], flags }, io) => {
  const found = await findTokens(text, io)
  const { names, revocations } = await readSurroundings(flags, io)
  const options = { now: io.clock.now(), verifier: createVerifier(), revocations }
  const inspections = found.map(({ place, token }) => ({ place, inspection: inspectToken(token, options) }))
  if (flags.isOn('json')) {
    await printJson(
      io,
      inspections.map(({ place, inspection }) => ({ place, inspection: inspectionToJson(inspection, names) }))
    )
  } else {
    for (const { place, inspection } of inspections) await printInspection(place, inspection, names, io)
  }
  const broken = inspections.filter(({ inspection }) => inspection.denial !== undefined).length
  if (flags.isOn('check') && broken > 0) {
    throw new TokenRefusedError(`${broken} of ${inspections.length} tokens ${broken === 1 ? 'does' : 'do'} not hold`)
  }
}

async function printInspection(place: string, inspection: Inspection, names: Names, io: Io): Promise<void> {
  const { denial, expiresAt, depthLeft } = inspection
  const verdict = denial === undefined ? `holds until ${describeExpiry(expiresAt, io.clock.now())}` : `BROKEN: ${denial.message}`
  const depth = depthLeft === undefined ? '' : `; may be passed on ${depthLeft > 0n ? depthLeft : 0n} more times`
  const tree = {
    text: `${place}: ${describeChain(inspection, names)}: ${verdict}${depth}`,
    children: chainBranches(inspection, names, io.clock.now())
  }
  for (const line of renderTree(tree)) await printLine(io, line)
}

async function findTokens(text: string, io: Io): Promise<readonly Found[]> {
  const source = await readTokenText(text, io)
  const entries = entriesOfFile(source, io) ?? entriesOfEnvelope(source)
  if (entries === undefined) return (await readTokens(source, io)).map((token) => ({ place: 'token', token }))
  if (entries.length === 0) throw new UsageError('there is no token in it')
  return entries
}

/** The tokens of a context file, those that cannot be used included; nothing when the text is none. */
function entriesOfFile(text: string, io: Io): readonly Found[] | undefined {
  const content = parseContextFile(text, io.clock.now(), createVerifier())
  if (!content.ok) return undefined
  const { anchors, setAside } = content.value
  const unusable = readableEntries(setAside)
  return (['require', 'provide', 'revoke'] as const).flatMap((place) =>
    [...anchors[place], ...unusable[place]].map((token) => ({ place, token }))
  )
}

/** The tokens that a message carries; nothing when the text is none. */
function entriesOfEnvelope(text: string): readonly Found[] | undefined {
  const envelope = decodeEnvelope(text)
  if (!envelope.ok) return undefined
  const blob = fromUtf8(envelope.value.capabilities)
  if (blob === '') return []
  const tokens = parseTokens(blob)
  if (!tokens.ok) throw new UsageError(`the message carries a bad token list: ${tokens.error.message}`)
  return tokens.value.map((token) => ({ place: 'message', token }))
}

/** The names and the revocations that the contexts here know. */
async function readSurroundings(flags: Flags, io: Io): Promise<{ readonly names: Names; readonly revocations: Revocations }> {
  const { config } = await loadSettings(flags, io)
  const contexts = await readAllContexts(contextsOf(config, io))
  const revoked = new Set([...contexts.values()].flatMap(({ anchors }) => anchors.revoke).map(revocationKey))
  return { names: namesOf(contexts), revocations: revoked }
}
