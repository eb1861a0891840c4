import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fromUtf8, utf8 } from '../base/index.ts'
import { decodeFrame, encodeFrames, KEPT_PROTOCOL, type KeptFrame, MAX_BODY } from './kept-frames.ts'
import { MAX_IN_PARTS } from './kept-incoming.ts'
import { FIRST_WINDOW } from './kept-link.ts'
import { PART_BYTES } from './kept-outbox.ts'
import { createKeptReader } from './kept-reader.ts'
import { DEFAULT_LIMITS, MAX_SENT_FRAME } from './limits.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/protocol.md'), 'utf8')

/** The bytes of the example that go in one direction. */
function example(arrow: '→' | '←'): Uint8Array {
  const [, text = ''] = /### Example[\s\S]*?```\n([\s\S]*?)```/.exec(page) ?? []
  let current = ''
  const hex = text.split('\n').map((line) => {
    current = line.startsWith(' ') ? current : line.slice(0, 1)
    const digits = /^[→←]?\s*((?:(?:[0-9a-f]{2})+ ?)+)(?:\s|$)/.exec(line)?.[1] ?? ''
    return current === arrow ? digits.replaceAll(' ', '') : ''
  })
  return Buffer.from(hex.join(''), 'hex')
}

function framesOf(bytes: Uint8Array): readonly KeptFrame[] {
  const frames: KeptFrame[] = []
  const reader = createKeptReader(
    (type, body) => {
      const frame = decodeFrame(type, Uint8Array.from(body))
      if (frame !== undefined) frames.push(frame)
    },
    () => undefined
  )
  reader.push(bytes)
  expect(reader.unfinished).toBe(0)
  return frames
}

describe('docs/protocol.md', () => {
  const opening: KeptFrame = {
    type: 'hello',
    features: 0,
    window: { messages: DEFAULT_LIMITS.keptWindow, bytes: DEFAULT_LIMITS.keptWindowBytes }
  }
  const sent: readonly KeptFrame[] = [
    opening,
    { type: 'message', id: 1, inbox: 'root', payload: Buffer.from(utf8('{}')) },
    { type: 'message', id: 2, inbox: 'job', payload: Buffer.from(utf8('hi')) }
  ]
  const answered: readonly KeptFrame[] = [
    opening,
    {
      type: 'receipt',
      receipts: [
        { first: 1, last: 1, status: 'delivered' },
        { first: 2, last: 2, status: 'no-such-inbox' }
      ]
    }
  ]

  test('shows the bytes that are written and read', () => {
    expect(Buffer.from(encodeFrames(sent)).toString('hex')).toBe(Buffer.from(example('→')).toString('hex'))
    expect(Buffer.from(encodeFrames(answered)).toString('hex')).toBe(Buffer.from(example('←')).toString('hex'))
    expect(framesOf(example('→'))).toEqual(sent)
    expect(framesOf(example('←'))).toEqual(answered)
    expect(fromUtf8(example('→'))).toContain('root{}')
  })

  test.each([
    ['the protocol id', `\`${KEPT_PROTOCOL}\``],
    ['the longest body', `at most ${MAX_BODY.toLocaleString('en')})`],
    ['the longest payload', `at most ${MAX_SENT_FRAME.toLocaleString('en')} bytes`],
    ['the first window', `is ${FIRST_WINDOW.messages} messages and ${FIRST_WINDOW.bytes.toLocaleString('en')} bytes`],
    ['the length of parts', `more than ${PART_BYTES / 1024} KiB`],
    ['the number of unfinished messages', `At most ${MAX_IN_PARTS} messages may be unfinished`],
    ['how long a receipt may take', `comes for ${DEFAULT_LIMITS.receiptTimeout / 1000} s`],
    ['how long a stream is kept', `idle for ${DEFAULT_LIMITS.keptIdle / 60_000} minutes`],
    ['how long a message may stay unfinished', `for ${DEFAULT_LIMITS.readDeadline / 1000} s`],
    ['the longest queue', `A sender takes ${DEFAULT_LIMITS.queuedPerPeer.toLocaleString('en')} messages`]
  ])('names %s', (_, text) => {
    expect(page.replaceAll(/\s+/g, ' ')).toContain(text)
  })
})
