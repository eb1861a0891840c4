import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DaemonOptions } from '../../daemon.ts'
import { call } from '../fixtures.ts'

vi.mock('../../daemon.ts', () => ({
  async runDaemon({ onReady }: DaemonOptions) {
    onReady?.({
      did: 'did:key:z6Mk',
      peerId: '12D3',
      rest: { tcp: { host: '127.0.0.1', port: 9999 }, socket: '/run/nunet/dms.sock' },
      addresses: [],
      executors: [],
      missingExecutors: new Map()
    })
    await new Promise((resolve) => setImmediate(resolve))
  }
}))

let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'nunet-run-'))
  for (const what of ['key', 'cap']) await call(home, [what, 'new', 'dms'])
})

afterEach(() => rm(home, { recursive: true }))

describe('nunet run', () => {
  test('goes on when its announcement cannot be written', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    const stderr = { write: () => Promise.reject(new Error('ENOSPC: no space left on device, write')) }
    const { code } = await call(home, ['run'], { stderr })
    process.off('unhandledRejection', note)
    expect([code, unhandled]).toEqual([0, []])
  })

  test('announces where it can be reached', async () => {
    const { code, stderr } = await call(home, ['run'])
    expect(code).toBe(0)
    expect(stderr).toContain(
      'DMS is ready\n  DID:       did:key:z6Mk\n  peer id:   12D3\n  REST:      http://127.0.0.1:9999\n  socket:    /run/nunet/dms.sock\n'
    )
  })
})
