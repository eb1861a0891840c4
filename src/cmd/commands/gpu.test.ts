import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bytes } from '../../base/index.ts'
import { call } from '../fixtures.ts'
import { describeGpu } from './gpu.ts'

const H100 = {
  index: 1,
  vendor: 'NVIDIA',
  model: 'NVIDIA H100 80GB HBM3',
  uuid: 'GPU-1de3037a-ce90-4f25-b4c2-16c3b61110aa',
  pciAddress: '0000:00:06.0',
  vram: bytes(81_559 * 2 ** 20),
  devices: []
} as const

test('a card is a line that clients find index and memory in', () => {
  const line = describeGpu({ ...H100, vramUsed: bytes(559 * 2 ** 20) })
  expect(line).toBe(
    'Model: NVIDIA H100 80GB HBM3, Total VRAM: 81559 MB, Free VRAM: 81000 MB, Used VRAM: 559 MB, Vendor: NVIDIA, PCI Address: 0000:00:06.0, Index: 1\n'
  )
  expect(/Index: (\d+)/.exec(line)?.[1]).toBe('1')
})

test('a card of which nobody says what is in use says so', () => {
  expect(describeGpu(H100)).toContain('Total VRAM: 81559 MB, Free VRAM: unknown, Used VRAM: unknown,')
})

test('a card that is not there cannot be tried', async () => {
  const home = await mkdtemp(join(tmpdir(), 'cmd-gpu-'))
  try {
    const { code, stderr, stdout } = await call(home, ['gpu', 'test', '--index', '63'])
    expect([code, stderr.trim(), stdout]).toEqual([66, 'Error: there is no gpu 63', ''])
  } finally {
    await rm(home, { recursive: true })
  }
})
