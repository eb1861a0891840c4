import { beforeEach, describe, expect, test } from 'vitest'
import { type Clock, millis, seconds, silentLogger, toNanos } from '../base/index.ts'
import type { KeptMessage, ReplayHistory, ReplayJournal } from './journal.ts'
import { type AcceptedMessage, createReplayMemory, type ReplayMemory, type ReplayWindow } from './replay.ts'

let now = millis(1_800_000_000_000)
const clock: Clock = { now: () => now, sleep: () => Promise.resolve() }
const pass = (duration: number): void => {
  now = millis(now + duration * 1000)
}

/** What a disk holds of a journal; a process that is killed leaves it as it is. */
interface Disk {
  readonly written: Map<string, KeptMessage>
  saved: readonly KeptMessage[]
  end: ReplayHistory['end']
  writes: number
  fails: boolean
}

function journalOn(disk: Disk): ReplayJournal {
  const keyOf = ({ inbox, senderId, nonce }: KeptMessage): string => `${inbox} ${senderId} ${nonce}`
  return {
    async open() {
      const messages = [
        ...[...disk.written.values()].map((message) => ({ message, isWritten: true })),
        ...disk.saved.map((message) => ({ message, isWritten: false }))
      ]
      const { end } = disk
      disk.saved = []
      disk.end = 'crashed'
      return { messages, end }
    },
    async keep(added, forgotten) {
      disk.writes += 1
      await Promise.resolve()
      if (disk.fails) throw new Error('the disk is full')
      for (const message of added) disk.written.set(keyOf(message), message)
      for (const message of forgotten) disk.written.delete(keyOf(message))
    },
    async close(messages) {
      disk.saved = messages
      disk.end = 'closed'
    }
  }
}

let disk: Disk
let memory: ReplayMemory
let window: ReplayWindow

/** A process that begins on what the last one left. */
async function begin(): Promise<void> {
  memory = createReplayMemory({ clock, log: silentLogger, journal: journalOn(disk), capacity: 10_000 })
  await memory.start()
  window = memory.window('root')
}

function message(changes: Partial<AcceptedMessage> & { readonly life?: number } = {}): AcceptedMessage {
  const { life = 30, ...rest } = changes
  return {
    caller: 'did:a',
    senderId: 'a',
    nonce: toNanos(now),
    expiresAt: toNanos(millis(now + seconds(life))),
    now: toNanos(now),
    source: 'remote',
    isOwner: false,
    ...rest
  }
}

/** The same message as it comes in now. */
function again(first: AcceptedMessage): ReturnType<ReplayWindow['add']> | 'replayed' {
  return window.has(first.senderId, first.nonce) ? 'replayed' : window.add({ ...first, now: toNanos(now) })
}

beforeEach(async () => {
  disk = { written: new Map(), saved: [], end: 'none', writes: 0, fails: false }
  await begin()
})

describe('a message that comes again after a restart', () => {
  test('is known after an orderly one, however short it lives', async () => {
    const short = message()
    const long = message({ senderId: 'b', life: 3600 })
    for (const each of [short, long]) expect(window.add(each)).toBeUndefined()
    await memory.stop()
    pass(1)
    await begin()
    expect([again(short), again(long)]).toEqual(['replayed', 'replayed'])
    expect(window.add(message({ senderId: 'c', nonce: 7n }))).toBeUndefined()
  })

  test('is known after a crash when it lives long, because it was written down before it was handled', async () => {
    const long = message({ life: 3600 })
    window.add(long)
    await window.kept(long.senderId, long.nonce)
    pass(1)
    await begin()
    expect(again(long)).toBe('replayed')
    pass(1800)
    expect(again(long)).toBe('replayed')
  })

  test('is refused after a crash when it could be one of before, until that has expired', async () => {
    const short = message()
    expect(window.add(short)).toBeUndefined()
    expect(window.kept(short.senderId, short.nonce)).toBeUndefined()
    await begin()
    expect(again(short)).toBe('unknown-history')
    pass(29)
    expect(again(short)).toBe('unknown-history')
  })

  test('is refused after a crash also when the clock of its sender is ahead: that is why it was written down', async () => {
    const ahead = message({ nonce: toNanos(millis(now + seconds(20))) })
    window.add(ahead)
    await window.kept(ahead.senderId, ahead.nonce)
    expect(disk.written.size).toBe(1)
    pass(2)
    await begin()
    expect(again(ahead)).toBe('replayed')
  })
})

describe('after a crash', () => {
  beforeEach(async () => {
    await begin()
  })

  test('a message that was made since is accepted: its nonce says so', () => {
    pass(2)
    expect(window.add(message())).toBeUndefined()
  })

  test('a message of this process is accepted at once, and one of a client after a tenth of a second', () => {
    expect(window.add(message({ source: 'internal' }))).toBeUndefined()
    expect(window.add(message({ source: 'client', senderId: 'b' }))).toBe('unknown-history')
    pass(0.2)
    expect(window.add(message({ source: 'client', senderId: 'b' }))).toBeUndefined()
  })

  test('a sender that counts its messages waits until the ordinary ones of before have expired', () => {
    const counted = (life: number) => window.add(message({ nonce: 1_700_000_000_000_000_001n, life }))
    expect(counted(30)).toBe('unknown-history')
    pass(3)
    expect(counted(30)).toBeUndefined()
  })

  test('nothing of it is left after the next orderly end', async () => {
    await memory.stop()
    await begin()
    expect(window.add(message())).toBeUndefined()
  })
})

describe('what is written down', () => {
  test('is nothing for ordinary messages, and shares a write for those that come together', async () => {
    for (let nonce = 0n; nonce < 100n; nonce += 1n) window.add(message({ nonce }))
    expect(disk.writes).toBe(0)
    const long = Array.from({ length: 100 }, (_, index) => message({ senderId: 'b', nonce: BigInt(index), life: 120 }))
    for (const each of long) window.add(each)
    for (const { senderId, nonce } of long) await window.kept(senderId, nonce)
    expect(disk.written.size).toBe(100)
    expect(disk.writes).toBeLessThanOrEqual(2)
  })

  test('is forgotten with the next write once it has expired', async () => {
    const first = message({ life: 60 })
    window.add(first)
    await window.kept(first.senderId, first.nonce)
    pass(120)
    const second = message({ life: 60 })
    window.add(second)
    await window.kept(second.senderId, second.nonce)
    expect([...disk.written.values()].map(({ nonce }) => nonce)).toEqual([second.nonce])
  })

  test('fails the message when it cannot be written, and the next one is tried again', async () => {
    disk.fails = true
    const lost = message({ life: 60 })
    window.add(lost)
    await expect(window.kept(lost.senderId, lost.nonce)).rejects.toThrow('the disk is full')
    disk.fails = false
    pass(1)
    const next = message({ life: 60 })
    window.add(next)
    await window.kept(next.senderId, next.nonce)
    expect(disk.written.size).toBe(1)
  })
})
