import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConfigConflictError, ConfigError } from './errors.ts'
import { keepRejected, saveHandEdit } from './hand-edit.ts'

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dms-config-'))
  path = join(directory, 'dms_config.json')
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

test.each([
  ['{"rest":{"port":1', 'line 1'],
  ['{"rest":{"prt":1}}', 'did you mean "rest.port"?'],
  ['{"rest":{"port":"1"}}', 'rest.port must be a whole number'],
  ['{"general":{"port_available_range_from":65535,"port_available_range_to":65535}}', 'must be below']
])('an edit that left %s never becomes the file', async (text, message) => {
  await writeFile(path, '{}')
  const attempt = saveHandEdit({ path, before: '{}', text })
  await expect(attempt).rejects.toThrow(ConfigError)
  await expect(attempt).rejects.toThrow(message)
  expect(await readFile(path, 'utf8')).toBe('{}')
  expect(await readdir(directory)).toEqual(['dms_config.json'])
})

test('an edit of a file that changed meanwhile is a conflict, also when it was made or removed', async () => {
  await writeFile(path, '{"rest":{}}')
  for (const before of ['{}', undefined]) {
    await expect(saveHandEdit({ path, before, text: '{}' })).rejects.toThrow(ConfigConflictError)
  }
  expect(await readFile(path, 'utf8')).toBe('{"rest":{}}')
  await rm(path)
  await expect(saveHandEdit({ path, before: '{}', text: '{}' })).rejects.toThrow('was changed while it was edited')
  expect(await readdir(directory)).toEqual([])
})

test('a good edit is written byte for byte, with the mode of the file', async () => {
  await writeFile(path, '{}')
  await chmod(path, 0o640)
  const text = '{\n\t"rest": { "port":   1 } }\n\n'
  await saveHandEdit({ path, before: '{}', text })
  expect(await readFile(path, 'utf8')).toBe(text)
  expect((await stat(path)).mode & 0o777).toBe(0o640)
})

test('a rejected text is kept for its owner alone, and an earlier one with it', async () => {
  await writeFile(path, '{}')
  for (const text of ['one', 'two', 'three']) expect(await keepRejected({ path, text })).toBe(`${path}.rejected`)
  const kept = Object.fromEntries(
    await Promise.all(
      (await readdir(directory)).sort().map(async (name) => [name, await readFile(join(directory, name), 'utf8')] as const)
    )
  )
  expect(kept).toEqual({
    'dms_config.json': '{}',
    'dms_config.json.rejected': 'three',
    'dms_config.json.rejected.1': 'one',
    'dms_config.json.rejected.1-2': 'two'
  })
  expect((await stat(`${path}.rejected`)).mode & 0o777).toBe(0o600)
})
