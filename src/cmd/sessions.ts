import { minutes } from '../base/index.ts'
import { type Client, createSession, type MessageTerms, type Session } from '../client/index.ts'
import { parseExpiry } from '../ucan/index.ts'
import { clientOf } from './clients.ts'
import type { Flags } from './command.ts'
import { openContext } from './contexts.ts'
import { UsageError } from './errors.ts'
import type { Io } from './io.ts'
import { loadSettings } from './settings.ts'
import { isWalletName } from './wallet-names.ts'

/** The client of the node that the configuration names. */
export async function openClient(flags: Flags, io: Io): Promise<Client> {
  const { config } = await loadSettings(flags, io)
  return clientOf(config, io)
}

/** A session of the user that `--context` names, at that node, which is asked for its handle while the key is opened. */
export async function openSession(flags: Flags, io: Io): Promise<Session> {
  const client = await openClient(flags, io)
  const asking = new AbortController()
  client.handle({ signal: asking.signal }).catch(() => undefined) // the first message asks again and tells why
  try {
    const { context } = await openContext(flags, io)
    return createSession({ client, context, clock: io.clock, random: io.random })
  } catch (error) {
    asking.abort() // or the process would wait for an answer that nobody needs
    throw error
  }
}

/** How long a message lives whose tokens a person confirms on a wallet, one after another, before it is sent. */
const WALLET_LIFETIME = minutes(3)

/** How long a message lives, by `--timeout` or `--expiry`. */
export function lifetimeOf(flags: Flags): Pick<MessageTerms, 'timeout' | 'expiresAt'> {
  const timeout = flags.duration('timeout')
  if (timeout !== undefined) {
    if (timeout <= 0) throw new UsageError(`the timeout must be more than 0, got ${flags.text('timeout') ?? ''}`)
    return { timeout }
  }
  const text = flags.text('expiry')
  if (text === undefined) return isWalletName(flags.text('context') ?? '') ? { timeout: WALLET_LIFETIME } : {}
  const expiry = parseExpiry(text)
  if (!expiry.ok) throw new UsageError(expiry.error.message)
  return { expiresAt: expiry.value }
}

/** `--dest` as a member of a message. */
export function destinationOf(flags: Flags): { readonly destination?: string } {
  const destination = flags.text('dest')
  return destination === undefined ? {} : { destination }
}
