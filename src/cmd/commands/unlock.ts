import { digestOf, MAX_LIFETIME, type UnlockedKey } from '../../agent/index.ts'
import type { Millis } from '../../base/index.ts'
import { agentOf, handToAgent } from '../agents.ts'
import { type Column, printRows } from '../columns.ts'
import type { Action, Flags } from '../command.ts'
import { UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { keystoreOf, openStored, readKey } from '../keys.ts'
import { note, printJson, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'

/** `nunet unlock <name>`: the next commands sign with the key without its passphrase, for a while. */
export const unlock: Action = async ({ args: [name], flags }, io) => {
  if (flags.isOn('list')) {
    if (name !== undefined) throw new UsageError('--list takes no name')
    return await listUnlocked(flags, io)
  }
  if (name === undefined) throw new UsageError('name the key to unlock, or use --list')
  const lifetime = lifetimeOf(flags)
  const { config } = await loadSettings(flags, io)
  const stored = await readKey(keystoreOf(config, io), name)
  const key = await openStored(stored, name, io)
  const privateKey = key.exportPrivate()
  try {
    const request = { name, path: stored.path, digest: digestOf(stored.text), privateKey, lifetime }
    const { did, remaining } = await handToAgent(request, config, io)
    await note(io, `${name} is unlocked for ${shortDuration(remaining)}; lock it with: nunet lock ${name}`)
    await printLine(io, did)
  } finally {
    privateKey.fill(0)
  }
}

async function listUnlocked(flags: Flags, io: Io): Promise<void> {
  const { config } = await loadSettings(flags, io)
  const agent = await agentOf(config, io)
  const keys = (await agent?.list()) ?? []
  if (flags.isOn('json')) return await printJson(io, keys.map(toJson))
  if (keys.length === 0) return await note(io, 'no key is unlocked')
  await printRows(
    io,
    COLUMNS,
    keys.map(({ name, did, remaining }) => [name, did, shortDuration(remaining)])
  )
}

const COLUMNS: readonly Column[] = [{ title: 'NAME' }, { title: 'DID', isWhole: true }, { title: 'LEFT' }]

function toJson({ name, did, remaining }: UnlockedKey): Record<string, string | number> {
  return { name, did, remaining_seconds: Math.floor(remaining / 1000) }
}

function lifetimeOf(flags: Flags): Millis {
  const lifetime = flags.duration('for')
  if (lifetime !== undefined && lifetime > 0 && lifetime <= MAX_LIFETIME) return lifetime
  throw new UsageError(`--for must be more than 0 and at most 24h, got ${flags.text('for') ?? ''}`)
}

/** Whole seconds: `14m59s`. */
function shortDuration(duration: Millis): string {
  const total = Math.ceil(duration / 1000)
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60]
  return [[hours, 'h'] as const, [minutes, 'm'] as const, [seconds, 's'] as const]
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join('')
}
