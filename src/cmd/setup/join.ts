import { err, ok, type Result, toNanos } from '../../base/index.ts'
import { endOf } from '../../doctor/index.ts'
import type { Did } from '../../identity/index.ts'
import { linksOf, parseTokens, type Token } from '../../ucan/index.ts'
import { addAnchors } from '../anchors.ts'
import { readDid } from '../dids.ts'
import { UsageError } from '../errors.ts'
import { parseFutureExpiry } from '../expiries.ts'
import { ask, confirm } from './interview.ts'
import type { SetupRun } from './run.ts'

/** The organisation that runs NuNet's network. */
export const NUNET_DID = 'did:key:zzCHUybNYmK8QsttZwXqUX8aDLoBGHnMCakDX2RpsGwmXmYHEW'

const TOPIC = '/nunet'
const PUBLIC = ['/public', '/broadcast'] as const
const JOBS = '/dms/deployment'
/** An anchor that ends sooner is renewed. */
const SOON = 7 * 86_400_000
const YEAR = 365 * 86_400_000

/**
 * Joins a network: members may call the public behaviours here, and the token of its organisation lets this machine call theirs.
 *
 * The second part needs a token that the organisation gives; without it the step stays open and the next run goes on there.
 */
export async function joinNetwork(run: SetupRun): Promise<void> {
  if (run.flags.isOn('no-network')) {
    return await run.report({ step: 'network', state: 'already', text: 'none wanted (--no-network)' })
  }
  const organization = await letMembersIn(run)
  if (organization === undefined) return
  if (await ensureToken(run, organization)) await passTokenOn(run, organization)
}

/** The organisation, or nothing when no network is wanted. */
async function letMembersIn(run: SetupRun): Promise<Did | undefined> {
  const { user, dms, io } = run
  const wanted = run.flags.text('organization')
  const chosen = wanted === undefined ? undefined : readDid(wanted, '--organization')
  const owner = (await run.summary(user)).did
  const joined = (await run.summary(dms)).require.find(
    (token) =>
      token.issuer === owner && isForMembers(token) && isLasting(run, token) && (chosen ?? token.subject) === token.subject
  )
  if (joined !== undefined) {
    await run.report({
      step: 'network',
      state: 'already',
      text: `members of ${joined.subject} may greet ${dms}, until ${dayOf(joined)}`
    })
    return readDid(joined.subject, 'the organisation')
  }
  const organization = chosen ?? (await askOrganization(run))
  if (organization === undefined) {
    await run.report({ step: 'network', state: 'already', text: 'none wanted' })
    return undefined
  }
  const expiresAt = await chooseExpiry(run)
  const mayRunJobs =
    run.flags.isOn('allow-jobs') || (await confirm(io, 'May members of this network run jobs on this machine?', 'n'))
  const capabilities = [...PUBLIC, ...(mayRunJobs ? [JOBS] : [])]
  const { context } = await run.open(user)
  const token = await context.grant({ subject: organization, capabilities, topics: [TOPIC], expiresAt })
  await addAnchors(await run.open(dms), [{ kind: 'require', token }], io)
  const caps = capabilities.map((capability) => `--cap ${capability}`).join(' ')
  await run.report({
    step: 'network',
    state: 'done',
    text: `members of ${organization} may ${mayRunJobs ? 'greet this machine and run jobs on it' : 'greet this machine'}, until ${dayOf(token)}`,
    command: `nunet cap anchor --context ${dms} --require "$(nunet cap grant --context ${user} ${caps} --topic ${TOPIC} --expiry ${dayOf(token)} ${organization})"`
  })
  return organization
}

async function askOrganization({ io }: SetupRun): Promise<Did | undefined> {
  return await ask<Did | undefined>(io, {
    text: 'Organisation that runs the network to join: its DID, or none',
    usual: NUNET_DID,
    parse: (answer) => (answer === 'none' || answer === 'no' ? ok(undefined) : parseOrganization(answer))
  })
}

function parseOrganization(answer: string): Result<Did, string> {
  try {
    return ok(readDid(answer, 'the organisation'))
  } catch (error) {
    if (error instanceof UsageError) return err(error.message)
    throw error
  }
}

async function chooseExpiry({ flags, io }: SetupRun): Promise<bigint> {
  const now = io.clock.now()
  const parse = (text: string): Result<bigint, string> => parseFutureExpiry(text, now)
  const given = flags.text('expiry')
  if (given === undefined) {
    const usual = new Date(now + YEAR).toISOString().slice(0, 10)
    return await ask(io, { text: 'Until when? Shorter is safer; this setup renews it', usual, parse })
  }
  const expiry = parse(given)
  if (!expiry.ok) throw new UsageError(expiry.error)
  return expiry.value
}

/** Whether the user has a token of the organisation, now. */
async function ensureToken(run: SetupRun, organization: Did): Promise<boolean> {
  const { user, io } = run
  const summary = await run.summary(user)
  const held = summary.provide.find(
    (token) => token.subject === summary.did && isFrom(token, organization) && isLasting(run, token)
  )
  const isGiven = run.flags.isSet('token')
  if (held !== undefined && !isGiven) {
    await run.report({ step: 'token', state: 'already', text: `${user} has one of ${organization}, until ${dayOf(held)}` })
    return true
  }
  const tokens = isGiven ? await givenTokens(run, summary.did) : await askTokens(run, summary.did, organization)
  if (tokens.length === 0) {
    await run.report({
      step: 'token',
      state: 'open',
      text: `ask ${organization} for a token for ${summary.did}${organization === NUNET_DID ? ', at did.nunet.io' : ''}; then run this setup again, or:`,
      command: 'nunet setup --yes --token - < token.json'
    })
    return false
  }
  const anchors = tokens.map((token) => ({ kind: 'provide', token }) as const)
  const added = await addAnchors(await run.open(user), anchors, io)
  await run.report({
    step: 'token',
    state: added === 0 ? 'already' : 'done',
    text: added === 0 ? `${user} has this one` : `${user} keeps it`,
    command: `nunet cap anchor --context ${user} --provide '<token>'`
  })
  return true
}

async function givenTokens({ flags, io }: SetupRun, owner: string): Promise<readonly Token[]> {
  const text = flags.text('token') ?? ''
  const tokens = parseTokensFor(text === '-' ? (await io.readInput()).trim() : text, owner)
  if (!tokens.ok) throw new UsageError(tokens.error)
  return tokens.value
}

async function askTokens({ io }: SetupRun, owner: string, organization: Did): Promise<readonly Token[]> {
  return await ask(io, {
    text: `Token that ${organization} gave to ${owner} (paste it; Enter for later)`,
    usual: '',
    parse: (answer) => (answer === '' ? ok([]) : parseTokensFor(answer, owner))
  })
}

/** Tokens for somebody else would be kept and never used. */
function parseTokensFor(text: string, owner: string): Result<readonly Token[], string> {
  const tokens = parseTokens(text)
  if (!tokens.ok) return err(`invalid token: ${tokens.error.message}`)
  if (tokens.value.length === 0) return err('the token list is empty')
  const stranger = tokens.value.find(({ subject }) => subject !== owner)
  return stranger === undefined ? tokens : err(`this token was given to ${stranger.subject}, not to ${owner}`)
}

/** Delegates what the organisation's token allows to the daemon, until the token ends. */
async function passTokenOn(run: SetupRun, organization: Did): Promise<void> {
  const { user, dms, io } = run
  const [owner, daemon] = [await run.summary(user), await run.summary(dms)]
  const held = owner.provide.filter(
    (token) => token.subject === owner.did && isFrom(token, organization) && isLasting(run, token)
  )
  const newest = held.reduce<Token | undefined>(
    (best, token) => (best === undefined || endOf(token) >= endOf(best) ? token : best),
    undefined
  )
  if (newest === undefined) {
    return await run.report({
      step: 'delegation',
      state: 'open',
      text: `the token of ${user} was not given by ${organization}; ask it for one`
    })
  }
  const present = daemon.provide.find(
    (token) => token.subject === daemon.did && isFrom(token, organization) && endOf(token) >= endOf(newest)
  )
  if (present !== undefined) {
    return await run.report({
      step: 'delegation',
      state: 'already',
      text: `${dms} may speak for ${user}, until ${dayOf(present)}`
    })
  }
  const { context } = await run.open(user)
  const terms = { capabilities: newest.capabilities ?? [], topics: newest.topics }
  const tokens = await context.delegate({ subject: daemon.did, ...terms, expiresAt: 0n }, io.clock.now())
  if (tokens.length === 0) {
    return await run.report({
      step: 'delegation',
      state: 'open',
      text: 'the token cannot be passed on: ask for one with a greater depth'
    })
  }
  await addAnchors(
    await run.open(dms),
    tokens.map((token) => ({ kind: 'provide', token })),
    io
  )
  const caps = terms.capabilities.map((capability) => `--cap ${capability}`).join(' ')
  await run.report({
    step: 'delegation',
    state: 'done',
    text: `${dms} may speak for ${user}, until ${dayOf(newest)}`,
    command: `nunet cap anchor --context ${dms} --provide "$(nunet cap delegate --context ${user} ${caps} ${terms.topics.map((topic) => `--topic ${topic} `).join('')}--auto-expire ${daemon.did})"`
  })
}

function isForMembers({ capabilities }: Token): boolean {
  return capabilities?.includes('/public') === true
}

function isFrom(token: Token, organization: Did): boolean {
  return linksOf(token).some(({ issuer }) => issuer === organization)
}

function isLasting({ io }: SetupRun, token: Token): boolean {
  return toNanos(endOf(token)) > toNanos(io.clock.now()) + BigInt(SOON) * 1_000_000n
}

function dayOf(token: Token): string {
  return new Date(endOf(token)).toISOString().slice(0, 10)
}
