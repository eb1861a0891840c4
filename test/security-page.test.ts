import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/security.md'), 'utf8')

/** Each test file that the page names, with the words that must be in it. */
const citations = [...page.matchAll(/`((?:src|test)\/[^`]+\.test\.ts)`((?:,? "[^"]+")*)/g)].map(([, path = '', quoted = '']) => ({
  path,
  words: [...quoted.matchAll(/"([^"]+)"/g)].map(([, text = '']) => text)
}))

describe('docs/security.md', () => {
  test('names tests that exist, by words that are in them', () => {
    const broken = citations.flatMap(({ path, words }) => {
      if (!existsSync(join(root, path))) return [`${path} does not exist`]
      const source = readFileSync(join(root, path), 'utf8')
      return words.filter((text) => !source.includes(text)).map((text) => `${path} has no "${text}"`)
    })
    expect(broken).toEqual([])
    expect(citations.length).toBeGreaterThan(50)
  })

  test('has a row for every weakness of identity and capabilities', () => {
    const listed = new Set([...page.matchAll(/W\d+/g)].map(([name]) => name))
    for (let number = 1; number <= 27; number += 1) expect(listed).toContain(`W${number}`)
  })

  test('has an issue for everything that is open', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| ') && /\bopen\b/i.test(line))
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.filter((row) => !/issue \d/.test(row) && !row.includes('see W'))).toEqual([])
  })
})
