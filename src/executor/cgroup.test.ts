import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { mebibytes, systemClock } from '../base/index.ts'
import { createCgroups } from './cgroup.ts'

const LIMITS = { cpuCores: 0.5, memory: mebibytes(32) }

test('where there are no control groups, nothing is joined and nothing hangs', async () => {
  for (const root of ['/proc/self/nothing-here', '/sys/kernel']) {
    const groups = createCgroups({ clock: systemClock, root })
    expect(await groups.create('a', LIMITS)).toEqual([])
    expect(await groups.oomKills('a')).toBe(0)
    await groups.remove('a')
  }
})

test('groups are not made of ordinary directories that are not there', async () => {
  const root = await mkdtemp(join(tmpdir(), 'dms-cgroup-'))
  try {
    const groups = createCgroups({ clock: systemClock, root })
    expect(await groups.create('a', LIMITS)).toEqual([])
    const { stdout } = await promisify(execFile)('find', [root, '-mindepth', '1'])
    expect(stdout).toBe('')
  } finally {
    await rm(root, { recursive: true })
  }
})
