import { isJsonObject, seconds, withTimeout } from '../../base/index.ts'
import { createSession, type Session } from '../../client/index.ts'
import type { Config } from '../../config/index.ts'
import type { Did } from '../../identity/index.ts'
import { type Anchor, decodeTokenList, type Token } from '../../ucan/index.ts'
import { addAnchors } from '../anchors.ts'
import { clientOf, placeOf } from '../clients.ts'
import { failureIn } from '../commands/actor-cmd.ts'
import { contextsOf, tellDms } from '../contexts.ts'
import { readDid } from '../dids.ts'
import { OtherDmsError, RefusedReplyError } from '../errors.ts'
import { tokenListToJson } from '../tokens.ts'
import type { SetupRun } from './run.ts'

/** The machine of an owner: what it can prove, and how it gets anchors. */
export interface Machine {
  readonly did: Did
  /** Whether it is a service of this computer that another user runs, such as that of the Debian package. */
  readonly isService: boolean
  /** Its provide anchors. */
  provided(): Promise<readonly Token[]>
  /** Adds all of them, or none. */
  add(anchors: readonly Exclude<Anchor, { kind: 'root' }>[]): Promise<void>
}

/** How long a service may take; one that does not know the user keeps silent. */
const PATIENCE = seconds(10)

/** A machine whose key and context are in this user directory. */
export async function ownMachine(run: SetupRun): Promise<Machine> {
  const { flags, io, dms } = run
  return {
    did: readDid((await run.summary(dms)).did, `the DID of ${dms}`),
    isService: false,
    provided: async () => (await run.summary(dms)).provide,
    async add(anchors) {
      const file = await run.open(dms)
      await addAnchors(file, anchors, io)
      await tellDms(file.context, flags, io)
    }
  }
}

/** The DID of the DMS that answers where the configuration says. */
export async function findService({ io, config }: Pick<SetupRun, 'io' | 'config'>): Promise<Did> {
  const client = clientOf(config, io)
  const handle = await withTimeout(io.clock, PATIENCE, 'asking for the handle', (signal) => client.handle({ signal }))
  return readDid(handle.did, 'the DID of the DMS')
}

/**
 * The same, which must have the context of that name in this user directory; or `--service` says that another one is meant.
 *
 * @throws OtherDmsError
 */
export async function findMachine(name: string, { flags, io, config }: Pick<SetupRun, 'flags' | 'io' | 'config'>): Promise<Did> {
  const did = await findService({ io, config })
  if (flags.isOn('service')) return did
  const contexts = contextsOf(config, io)
  const own = (await contexts.exists(name)) ? (await contexts.read(name)).did : undefined
  if (did !== own) throw otherDms(did, config)
  return did
}

/** Whoever answers there could be any user of this computer. */
export function otherDms(did: string, config: Config): OtherDmsError {
  return new OtherDmsError(
    `another DMS (${did}) answers at ${placeOf(config)}: give this one another port with --set rest.port=<port>, or say --service if that one is yours`
  )
}

/**
 * A service of this computer of which the user is an owner: it is asked by messages.
 *
 * @throws OtherDmsError when it does not obey the user.
 */
export async function serviceMachine(run: SetupRun, did: Did): Promise<Machine> {
  const session = await sessionOf(run)
  const list = async (): Promise<readonly Token[]> => {
    const reply = await session.invoke({ behavior: '/dms/cap/list', payload: { Context: '' }, timeout: PATIENCE })
    const tokens = decodeTokenList((isJsonObject(reply) ? reply['Provide'] : undefined) ?? {})
    if (!tokens.ok) throw new RefusedReplyError(`the anchors of the DMS cannot be read: ${tokens.error.message}`)
    return tokens.value
  }
  await requireObedience(run, did, list)
  return {
    did,
    isService: true,
    provided: list,
    async add(anchors) {
      const tokensOf = (kind: string) =>
        tokenListToJson(anchors.flatMap((anchor) => (anchor.kind === kind ? [anchor.token] : [])))
      const payload = { Require: tokensOf('require'), Provide: tokensOf('provide'), Revoke: tokensOf('revoke') }
      const failure = failureIn(await session.invoke({ behavior: '/dms/cap/anchor', payload, timeout: PATIENCE }))
      if (failure !== undefined) throw new RefusedReplyError(failure)
    }
  }
}

/** Messages of the user to the daemon of this configuration. */
export async function sessionOf({ config, io, user, open }: Pick<SetupRun, 'config' | 'io' | 'user' | 'open'>): Promise<Session> {
  const { context } = await open(user)
  return createSession({ client: clientOf(config, io), context, clock: io.clock, random: io.random })
}

async function requireObedience(run: SetupRun, did: Did, ask: () => Promise<unknown>): Promise<void> {
  try {
    await ask()
  } catch (error) {
    const owner = (await run.summary(run.user)).did
    throw new OtherDmsError(
      `the DMS ${did} at ${placeOf(run.config)} does not obey ${owner}: make yourself its owner (as its user: nunet cap anchor --context dms --root ${owner}; Debian package: sudo /usr/lib/nunet-dms/first-run ${owner}), or have one of your own at another port (--set rest.port=<port>)`,
      { cause: error }
    )
  }
}
