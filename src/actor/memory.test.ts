import { expect, test } from 'vitest'
import { createMemory } from './memory.ts'

test('nothing is found that was not set', () => {
  expect(createMemory<number>({ entries: 4, characters: 100 }).get('a')).toBeUndefined()
})

test('what is used stays, and what is not used goes when too much comes', () => {
  const memory = createMemory<number>({ entries: 8, characters: 1000 })
  memory.set('used', 1)
  memory.set('not used', 2)
  for (let index = 0; index < 50; index += 1) {
    memory.set(`${index}`, index)
    expect(memory.get('used')).toBe(1)
  }
  expect(memory.get('not used')).toBeUndefined()
})

test('the length of the texts is bounded too', () => {
  const memory = createMemory<number>({ entries: 100, characters: 1000 })
  for (const letter of 'abcdefgh') memory.set(letter.repeat(400), 1)
  expect([...'abcdefgh'].filter((letter) => memory.get(letter.repeat(400)) !== undefined)).toEqual(['g', 'h'])
})

test('a value that is set again takes the place of the old one', () => {
  const memory = createMemory<number>({ entries: 8, characters: 100 })
  memory.set('a', 1)
  expect(memory.get('a')).toBe(1)
  memory.set('a', 2)
  expect(memory.get('a')).toBe(2)
})
