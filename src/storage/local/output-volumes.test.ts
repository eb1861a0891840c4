import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { mebibytes, silentLogger } from '../../base/index.ts'
import { requirement, volumeProviderCompliance } from '../../testing/index.ts'
import type { VolumeProvider } from '../volume.ts'
import { canMakeImages } from './image.ts'
import { createOutputVolumes } from './index.ts'

const loop = await requirement('loop', async () =>
  (await canMakeImages()) ? { available: true } : { available: false, reason: 'file systems in files cannot be mounted here' }
)

const open = (enforcement: 'auto' | 'measured'): VolumeProvider =>
  createOutputVolumes({ publishers: [], limit: mebibytes(64), enforcement, log: silentLogger })

describe.each(['auto', 'measured'] as const)('a directory for outputs (%s)', (enforcement) => {
  if (enforcement === 'auto' && !loop.available) return
  volumeProviderCompliance({
    test,
    create: () =>
      Promise.resolve({
        provider: open(enforcement),
        spec: () => ({}),
        invalid: () => ({ spec: { publish: { type: 'tape' } }, field: 'publish.type' }),
        reopen: () => open(enforcement),
        dispose: () => Promise.resolve()
      })
  })
})

test.skipIf(!loop.available)(loop.title('a job cannot leave more than its directory for outputs may hold'), async () => {
  const { mkdtemp, realpath, rm } = await import('node:fs/promises')
  const directory = await realpath(await mkdtemp('/tmp/nunet-outputs-'))
  const request = { id: 'job.0', owner: 'did:key:owner', directory, spec: {}, isReadOnly: false, limit: mebibytes(16) }
  const provider = open('auto')
  try {
    const { source } = await provider.prepare(request)
    await expect(writeFile(join(source, 'large'), Buffer.alloc(mebibytes(17)))).rejects.toThrow('ENOSPC')
  } finally {
    await provider.release(request)
    await rm(directory, { recursive: true })
  }
})
