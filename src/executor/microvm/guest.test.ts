import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findGuest } from './guest.ts'
import { chooseAcceleration, probeMicrovm } from './probe.ts'

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dms-guest-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function put(path: string, content = '', mode = 0o644): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), content)
  await chmod(join(root, path), mode)
}

test('what is missing of a guest is named, one part after the other', async () => {
  await expect(findGuest(root)).rejects.toThrow('there is no boot/vmlinuz-*')
  await put('boot/vmlinuz-6.1', '', 0o600)
  await expect(findGuest(root)).rejects.toThrow('vmlinuz-6.1 must be readable for everybody')
  await chmod(join(root, 'boot/vmlinuz-6.1'), 0o644)
  await expect(findGuest(root)).rejects.toThrow('there is no bin/busybox')
  await put('bin/busybox', '', 0o755)
  await expect(findGuest(root)).rejects.toThrow('virtio_mmio.ko')
  await expect(probeMicrovm({ guestDirectory: root, acceleration: 'tcg' })).resolves.toMatchObject({ available: false })
})

test('the newest kernel is taken, with its modules in order, those that it has built in apart', async () => {
  const modules = 'lib/modules/6.10/kernel/drivers'
  await put('boot/vmlinuz-6.9')
  await put('boot/vmlinuz-6.10')
  await put('usr/bin/busybox', '', 0o755)
  await put('lib/modules/6.10/modules.builtin', 'kernel/drivers/block/virtio_blk.ko\n')
  for (const name of ['virtio/virtio_mmio.ko', 'virtio/virtio_ring.ko', 'char/virtio_console.ko']) await put(`${modules}/${name}`)
  expect(await findGuest(root)).toEqual({
    kernel: join(root, 'boot/vmlinuz-6.10'),
    version: '6.10',
    busybox: join(root, 'usr/bin/busybox'),
    modules: ['virtio/virtio_ring.ko', 'virtio/virtio_mmio.ko', 'char/virtio_console.ko'].map((name) => join(root, modules, name))
  })
})

test('emulation needs nothing', async () => {
  expect(await chooseAcceleration('tcg')).toEqual({ acceleration: 'tcg', group: undefined })
})
