import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requirement } from '../../testing/index.ts'
import { packArchive } from './cpio.ts'

const needs = await requirement('microvm', () => {
  execFileSync('busybox', ['cpio', '--help'], { stdio: 'ignore' })
  return Promise.resolve({ available: true })
})

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dms-cpio-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test.skipIf(!needs.available)(needs.title('another program unpacks what was packed, with modes and directories above'), () => {
  const content = Buffer.from('odd length')
  const input = packArchive([
    { path: 'deep/er/a file', mode: 0o640, content },
    { path: 'empty', mode: 0o755, content: new Uint8Array() },
    { path: 'private', mode: 0o700 }
  ])
  execFileSync('busybox', ['cpio', '-i', '-d'], { cwd: directory, input, stdio: ['pipe', 'ignore', 'ignore'] })
  const modeOf = (path: string): string => (statSync(join(directory, path)).mode & 0o777).toString(8)
  expect(readFileSync(join(directory, 'deep/er/a file'))).toEqual(content)
  expect(readFileSync(join(directory, 'empty'))).toHaveLength(0)
  expect(['deep', 'deep/er/a file', 'empty', 'private'].map(modeOf)).toEqual(['755', '640', '755', '700'])
})
