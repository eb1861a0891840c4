import { join } from 'node:path'
import { encodeGoJson, isJsonObject, type Millis, millis, parseJson } from '../../base/index.ts'
import type { Config } from '../../config/index.ts'
import { readPrivateFile, withFileLock, writePrivateFile } from '../../db/index.ts'
import { decodeToken, encodeToken, isExpired, type Token } from '../../ucan/index.ts'
import type { Flags } from '../command.ts'
import { TooManyInvitationsError } from '../errors.ts'
import type { Io } from '../io.ts'
import { loadSettings } from '../settings.ts'
import { contextSourceOf } from '../signers.ts'

/** An invitation that was given, without what makes it usable: its key is nowhere but in its text. */
export interface GivenInvitation {
  /** Eight hexadecimal digits. */
  readonly id: string
  readonly grant: Token
  readonly givenAt: Millis
  /** Whether it is for whoever has the text. */
  readonly isBearer: boolean
  /** For whom, in the owner's words. */
  readonly note: string
}

/** The invitations that a user gave and that have not expired, beside the context, mode 0600. */
export interface InvitationRecord {
  /** @throws TooManyInvitationsError */
  add(invitation: GivenInvitation): Promise<void>
  /** Oldest first; lines that cannot be read are left out. */
  list(): Promise<readonly GivenInvitation[]>
  remove(id: string): Promise<void>
}

/** Longest note, in characters. */
export const MAX_NOTE = 200

/** Most that are open at a time: the file stays below the 1 MiB that are read. */
const MAX_INVITATIONS = 500

/** The record of the context that `--context` names; needs no key. */
export async function invitationsOfContext(flags: Flags, io: Io): Promise<InvitationRecord> {
  const { config } = await loadSettings(flags, io)
  const { fileName } = await contextSourceOf(flags.text('context') ?? '', config, io)
  return invitationsOf(fileName, config, io)
}

function invitationsOf(fileName: string, config: Config, { clock }: Pick<Io, 'clock'>): InvitationRecord {
  const path = join(config.general.user_dir, 'cap', `${fileName}.invitations.jsonl`)

  async function list(): Promise<readonly GivenInvitation[]> {
    const text = (await readPrivateFile(path)) ?? ''
    return text
      .split('\n')
      .flatMap(parseLine)
      .filter(({ grant }) => !isExpired(grant, clock.now()))
  }

  const change = (edit: (all: readonly GivenInvitation[]) => readonly GivenInvitation[]): Promise<void> =>
    withFileLock(
      path,
      async () =>
        await writePrivateFile(
          path,
          edit(await list())
            .map(encodeLine)
            .join('')
        )
    )

  return {
    list,
    add: (invitation) =>
      change((all) => {
        if (all.length < MAX_INVITATIONS) return [...all, invitation]
        throw new TooManyInvitationsError(`${all.length} invitations are open: revoke some with nunet invite --revoke <id>`)
      }),
    remove: (id) => change((all) => all.filter((invitation) => invitation.id !== id))
  }
}

/** The name by which an owner speaks of an invitation: the beginning of its nonce. */
export function idOf({ nonce }: Token): string {
  return Buffer.from(nonce ?? [])
    .toString('hex')
    .slice(0, 8)
}

function encodeLine({ grant, givenAt, isBearer, note }: GivenInvitation): string {
  const token = parseJson(encodeToken(grant))
  const grantJson = token.ok ? token.value : null
  return `${encodeGoJson({ time: new Date(givenAt).toISOString(), bearer: isBearer, note, grant: grantJson })}\n`
}

function parseLine(line: string): readonly GivenInvitation[] {
  const json = line === '' ? undefined : parseJson(line)
  if (json?.ok !== true || !isJsonObject(json.value)) return []
  const { time, bearer, note } = json.value
  const grant = decodeToken(json.value['grant'])
  const at = typeof time === 'string' ? Date.parse(time) : Number.NaN
  if (!grant.ok || Number.isNaN(at) || typeof bearer !== 'boolean' || typeof note !== 'string') return []
  return [{ id: idOf(grant.value), grant: grant.value, givenAt: millis(at), isBearer: bearer, note }]
}
