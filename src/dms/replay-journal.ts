import type { KeptMessage, ReplayHistory, ReplayJournal } from '../actor/index.ts'
import { type Codec, err, isJsonObject, ok, type Result } from '../base/index.ts'
import type { KeyValueStore } from '../db/index.ts'

/** Messages of one record of the snapshot: some hundred bytes each, far below the largest record. */
const PER_RECORD = 4096

/** The only record of the collection `replay-state`. */
const STATE = 'state'

/**
 * Creates the journal of accepted messages over three collections (ADR 0008): `replays` has one record for each message that was
 * written before it was handled, `replay-snapshot` what an orderly end saved of the others, `replay-state` whether a process runs.
 */
export function createReplayJournal(store: KeyValueStore): ReplayJournal {
  const kept = store.collection('replays', messageCodec)
  const snapshot = store.collection('replay-snapshot', messagesCodec)
  const state = store.collection('replay-state', stateCodec)

  return {
    async open() {
      const before = await state.get(STATE)
      const messages: ReplayHistory['messages'][number][] = []
      for await (const [, message] of kept.list()) messages.push({ message, isWritten: true })
      const records: string[] = []
      for await (const [id, saved] of snapshot.list()) {
        records.push(id)
        messages.push(...saved.map((message) => ({ message, isWritten: false })))
      }
      await store.transaction([state.put(STATE, { isOpen: true }), ...records.map((id) => snapshot.delete(id))])
      return { messages, end: before === undefined ? 'none' : before.isOpen ? 'crashed' : 'closed' }
    },
    keep: (added, forgotten) =>
      store.transaction([
        ...added.map((message) => kept.put(idOf(message), message)),
        ...forgotten.map((message) => kept.delete(idOf(message)))
      ]),
    close(messages) {
      const records = Array.from({ length: Math.ceil(messages.length / PER_RECORD) }, (_, index) =>
        snapshot.put(String(index).padStart(6, '0'), messages.slice(index * PER_RECORD, (index + 1) * PER_RECORD))
      )
      return store.transaction([...records, state.put(STATE, { isOpen: false })])
    }
  }
}

function idOf({ inbox, senderId, nonce }: KeptMessage): string {
  return `${inbox}/${senderId}/${nonce}`
}

const stateCodec: Codec<{ readonly isOpen: boolean }> = {
  decode: (wire) => (isJsonObject(wire) && typeof wire['isOpen'] === 'boolean' ? ok({ isOpen: wire['isOpen'] }) : malformed()),
  encode: (value) => value
}

const messageCodec: Codec<KeptMessage> = {
  decode: decodeMessage,
  encode: ({ nonce, expiresAt, ...texts }) => ({ ...texts, nonce: String(nonce), expiresAt: String(expiresAt) })
}

const messagesCodec: Codec<readonly KeptMessage[]> = {
  decode(wire) {
    if (!Array.isArray(wire)) return malformed()
    const messages = wire.map(decodeMessage)
    const good = messages.flatMap((message) => (message.ok ? [message.value] : []))
    return good.length === messages.length ? ok(good) : malformed()
  },
  encode: (messages) => messages.map((message) => messageCodec.encode(message))
}

function decodeMessage(wire: unknown): ReturnType<Codec<KeptMessage>['decode']> {
  if (!isJsonObject(wire)) return malformed()
  const { inbox, caller, senderId, nonce, expiresAt } = wire
  const [number, instant] = [integer(nonce), integer(expiresAt)]
  if (typeof inbox !== 'string' || typeof caller !== 'string' || typeof senderId !== 'string') return malformed()
  if (number === undefined || instant === undefined) return malformed()
  return ok({ inbox, caller, senderId, nonce: number, expiresAt: instant })
}

function integer(text: unknown): bigint | undefined {
  return typeof text === 'string' && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined
}

function malformed(): Result<never, [{ path: string; message: string }]> {
  return err([{ path: '', message: 'is no record of accepted messages' }])
}
