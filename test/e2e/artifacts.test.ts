import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gibibytes, minutes, seconds, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts'
import { createImages } from '../../src/image/index.ts'
import { type FakeRegistry, makeImage, startFakeRegistry } from '../../src/testing/index.ts'
import { createMachines, type TestMachine, type TestMachines } from '../support/machine.ts'

let machines: TestMachines
let machine: TestMachine
let registry: FakeRegistry

beforeAll(async () => {
  registry = await startFakeRegistry()
  machines = await createMachines()
  machine = await machines.create('provider')
  for (const name of ['used', 'idle']) {
    registry.add(`${name}:1`, await makeImage({ layers: [[{ name, content: name }]] }))
  }
  const images = createImages({
    directory: join(machine.home, 'work', 'images'),
    rules: { allowedPrivate: [], insecure: [registry.host] },
    cacheSize: gibibytes(1),
    maxImageSize: gibibytes(1),
    stallLimit: seconds(10),
    pullLimit: minutes(1),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger
  })
  await images.start()
  await images.prepare(`${registry.host}/used:1`, { workloadId: 'job-1' })
  await images.prepare(`${registry.host}/idle:1`, { workloadId: 'job-2' })
  await images.release('job-2')
  await images.stop()
  await machine.start()
})

afterAll(async () => {
  await machines.dispose()
  await registry.close()
})

test('the owner of a machine sees the images that an earlier process fetched, and removes those that no job uses', async () => {
  const listed = await machine.succeed('artifacts', 'list')
  expect(listed).toMatch(/^DIGEST +KIND +SIZE +USED +JOBS +NAME\n/)
  expect(listed).toMatch(new RegExp(`sha256:[0-9a-f]{12} +image .* 1 +${registry.host}/used:1$`, 'm'))
  expect(listed).toMatch(new RegExp(`sha256:[0-9a-f]{12} +image .* 0 +${registry.host}/idle:1$`, 'm'))

  expect(await machine.nunet(['artifacts', 'prune', '--used-before', '1d'])).toMatchObject({ code: 0, stdout: '' })
  expect(await machine.succeed('artifacts', 'prune')).toContain(`${registry.host}/idle:1`)
  const left = JSON.parse(await machine.succeed('artifacts', 'list', '--json')) as { readonly artifacts: readonly object[] }
  expect(left.artifacts).toMatchObject([{ references: [`${registry.host}/used:1`], used_by: ['job-1'] }])

  const wrong = await machine.nunet(['artifacts', 'prune', '--down-to', 'much'])
  expect(wrong).toMatchObject({ code: 2, stdout: '' })
  expect(wrong.stderr).toContain('invalid argument "much" for "--down-to" flag')
})
