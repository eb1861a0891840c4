import { describe, expect, test } from 'vitest'
import { millis } from '../base/index.ts'
import { createRecorder } from './recorder.ts'

const event = (message: string, fields = {}) => ({ at: millis(0), level: 'info', message, fields }) as const

describe('the recorder', () => {
  test('keeps the newest thousand, oldest first', () => {
    const recorder = createRecorder()
    for (let number = 0; number < 1500; number += 1) recorder.add(event(`${number}`))
    const messages = recorder.events().map(({ message }) => message)
    expect(messages).toHaveLength(1000)
    expect([messages[0], messages.at(-1)]).toEqual(['500', '1499'])
  })

  test('keeps no more text than it may, however long the events are', () => {
    const recorder = createRecorder()
    for (let number = 0; number < 500; number += 1) recorder.add(event(`${number}`, { text: 'x'.repeat(10_000) }))
    const size = recorder.events().reduce((sum, { message, fields }) => sum + message.length + JSON.stringify(fields).length, 0)
    expect(size).toBeLessThanOrEqual(1_048_576)
    expect(recorder.events().at(-1)?.message).toBe('499')
  })

  test('keeps the message of an event that is too large, and says so', () => {
    const recorder = createRecorder()
    recorder.add(event('too large', { text: 'x'.repeat(20_000) }))
    expect(recorder.events()).toMatchObject([
      { message: 'too large', fields: { omitted: '20020 characters are too many to keep' } }
    ])
    expect(JSON.stringify(recorder.events())).not.toContain('xxx')
  })
})
