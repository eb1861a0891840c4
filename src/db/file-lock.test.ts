import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, millis } from '../base/index.ts'
import { FileLockedError } from './errors.ts'
import { withFileLock } from './file-lock.ts'

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dms-lock-'))
  path = join(directory, 'dms.cap')
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** A clock on which every sleep passes at once, yielding to other work. */
function jumpingClock(): Clock & { readonly slept: number } {
  let now = 0
  return {
    now: () => millis(now),
    sleep: (duration) => {
      now += duration
      return new Promise((resolve) => setImmediate(resolve))
    },
    get slept() {
      return now
    }
  }
}

function holderText(holder: { readonly pid: number; readonly started?: string }): string {
  return JSON.stringify({ started: '', token: '0123456789abcdef0123456789abcdef', ...holder })
}

function deadProcessId(): number {
  return spawnSync(process.execPath, ['--version']).pid
}

describe('withFileLock', () => {
  test('gives up after ten seconds while a live process holds the lock, naming it', async () => {
    const clock = jumpingClock()
    await withFileLock(path, async () => {
      const attempt = withFileLock(path, () => Promise.resolve('ran'), { clock })
      await expect(attempt).rejects.toThrow(FileLockedError)
      await expect(attempt).rejects.toMatchObject({ code: 'DB_LOCKED', kind: 'conflict', details: { pid: process.pid } })
      expect(clock.slept).toBe(10_000)
      expect(await readdir(directory)).toEqual(['dms.cap.lock'])
    })
  })

  test('does not take over a lock that it cannot read', async () => {
    await writeFile(`${path}.lock`, 'something else')
    await expect(withFileLock(path, () => Promise.resolve(), { clock: jumpingClock() })).rejects.toThrow('unknown process')
  })

  test('takes over the lock of a process that has ended', async () => {
    await writeFile(`${path}.lock`, holderText({ pid: deadProcessId() }))
    expect(await withFileLock(path, () => Promise.resolve('ran'), { clock: jumpingClock() })).toBe('ran')
    expect(await readdir(directory)).toEqual([])
  })

  test.skipIf(process.platform !== 'linux')('takes over when the process id was given to a younger process', async () => {
    await writeFile(`${path}.lock`, holderText({ pid: process.pid, started: 'another-boot:1' }))
    expect(await withFileLock(path, () => Promise.resolve('ran'), { clock: jumpingClock() })).toBe('ran')
  })

  test('lets only one of several takers over a dead lock work at a time', async () => {
    await writeFile(`${path}.lock`, holderText({ pid: deadProcessId() }))
    expect(await mostAtOnce(8)).toBe(1)
  })

  test('runs work for the same path one after another', async () => {
    expect(await mostAtOnce(8)).toBe(1)
  })

  test('names its holder while it works and frees the lock when the work fails', async () => {
    const attempt = withFileLock(path, async () => {
      expect(JSON.parse(await readFile(`${path}.lock`, 'utf8'))).toMatchObject({ pid: process.pid })
      throw new RangeError('no good')
    })
    await expect(attempt).rejects.toThrow(RangeError)
    expect(await readdir(directory)).toEqual([])
  })

  test('creates missing directories for the lock', async () => {
    expect(await withFileLock(join(directory, 'cap', 'dms.cap'), () => Promise.resolve(1))).toBe(1)
  })

  async function mostAtOnce(callers: number): Promise<number> {
    let running = 0
    let most = 0
    const work = async (): Promise<void> => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
    }
    await Promise.all(Array.from({ length: callers }, () => withFileLock(path, work, { clock: jumpingClock() })))
    expect(await readdir(directory)).toEqual([])
    return most
  }
})
