import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, openLab } from '../../scripts/lab/lab.ts'
import { createMachineProvider, MACHINE_GUEST } from '../../src/testing/micro-machines.ts'
import { requirement } from '../../src/testing/requirements.ts'

const needs = await requirement('microvm', () => createMachineProvider('/nowhere').open().probe())

describe.skipIf(!needs.available)(needs.title('jobs in micro machines'), () => {
  let lab: Lab
  let example: string

  beforeAll(async () => {
    lab = await openLab({ cores: 1, memoryShare: 0.5, diskGiB: 2 })
    await lab.provider.stop('SIGTERM')
    await lab.provider.succeed('config', 'set', 'executor.microvm_acceleration', 'tcg')
    await mkdir(join(lab.provider.home, 'data', 'microvm'), { recursive: true })
    await symlink(MACHINE_GUEST, join(lab.provider.home, 'data', 'microvm', 'guest'))
    await lab.restart(lab.provider)
    await lab.connect()
    example = await readFile(new URL('../../examples/hello-microvm.yaml', import.meta.url), 'utf8')
  }, 120_000)

  afterAll(() => lab.dispose())

  async function outputOf(ensemble: string): Promise<string> {
    const id = await lab.deploy(ensemble)
    expect(await lab.ended(id, 100)).toMatchObject({ status: 'Completed' })
    return (await lab.logs(id, 'anywhere.hello')).stdout
  }

  test('a path of the provider is refused, with what would be right', { timeout: 120_000 }, async () => {
    const id = await lab.deploy(example.replace('command:', 'kernel_image: /boot/vmlinuz\n      command:'))
    const { status, error } = await lab.ended(id, 100)
    expect(status).toBe('Failed')
    expect(error).toContain('kernel_image: must be default, or a path below the directory')
  })

  test('the example runs on a kernel of its own, and as the executor of the reference', { timeout: 240_000 }, async () => {
    expect(await outputOf(example)).toMatch(/^hello from Linux 6\.\S+, process \d+ of a machine of its own\n$/)
    const reference = example
      .replaceAll(': microvm', ': firecracker')
      .replace('command:', 'kernel_image: default\n      root_file_system: default\n      command:')
    expect(await outputOf(reference)).toMatch(/^hello from Linux/)
  })

  test('a job goes on while its daemon is killed, and its output is whole', { timeout: 240_000 }, async () => {
    const count = 'i=0; while [ $i -lt 8 ]; do i=$((i+1)); echo $i; sleep 1; done'
    const id = await lab.deploy(example.replace(/- echo .*/, `- "${count}"`))
    await expect.poll(async () => (await lab.status(id)).status, { timeout: 60_000 }).toBe('Running')
    await lab.provider.stop('SIGKILL')
    await lab.restart(lab.provider)
    await lab.connect()
    expect(await lab.ended(id, 100)).toMatchObject({ status: 'Completed' })
    expect((await lab.logs(id, 'anywhere.hello')).stdout).toBe('1\n2\n3\n4\n5\n6\n7\n8\n')
  })
})
