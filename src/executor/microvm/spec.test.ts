import { expect, test } from 'vitest'
import { bytes, gibibytes, type JsonValue, mebibytes } from '../../base/index.ts'
import type { Workload } from '../index.ts'
import { commandScript } from './initrd.ts'
import { machineUser, qemuCommand } from './qemu.ts'
import { parseMicrovmSpec } from './spec.ts'

function workload(spec: JsonValue, more: Partial<Workload> = {}): Workload {
  const limits = { cpuCores: 1, memory: mebibytes(128), disk: gibibytes(1), pids: 1 }
  return { id: 'a', spec, limits, directory: '/job', allowPrivileged: false, ports: [], ...more }
}

test.each<[string, JsonValue, string]>([
  ['nothing to run', {}, 'command: is missing'],
  ['a path of the provider', { kernel_image: '/boot/vmlinuz', command: ['x'] }, 'kernel_image: must be default, or a path below'],
  ['a path that leads out', { root_file_system: '../../etc/shadow' }, 'root_file_system: must be default'],
  ['a drive that leads out', { command: ['x'], drives: ['a/../b'] }, 'drives.0: must be default'],
  ['two roots', { root_file_system: 'r', image: 'debian' }, 'image: stands beside root_file_system'],
  ['a login without an image', { command: ['x'], registry_auth: {} }, 'registry_auth: is only for an image'],
  ['an initrd', { command: ['x'], initrd: 'mine' }, 'initrd: cannot be chosen'],
  ['Firecracker itself', { command: ['x'], engine: 'firecracker' }, 'engine: must be auto or qemu'],
  ['two lines for the kernel', { command: ['x'], kernel_args: 'a\nb' }, 'kernel_args: must be printable'],
  ['long metadata', { command: ['x'], mmds_message: 'x'.repeat(65_537) }, 'mmds_message: is larger than'],
  ['a relative directory', { command: ['x'], working_directory: 'tmp' }, 'working_directory: must be absolute'],
  ['a misspelt field', { comand: ['x'] }, 'comand: did you mean command?']
])('a machine is refused for %s', (_, spec, message) => {
  expect(() => parseMicrovmSpec(workload(spec))).toThrow(message)
})

test('a machine is refused for memory in which no kernel starts, and for mounts', () => {
  const { limits } = workload({})
  expect(() => parseMicrovmSpec(workload({ command: ['x'] }, { limits: { ...limits, memory: bytes(1000) } }))).toThrow(
    'limits.memory'
  )
  const mounts = [{ source: '/a', target: '/b', isReadOnly: true }]
  expect(() => parseMicrovmSpec(workload({ command: ['x'] }, { mounts }))).toThrow('the executor microvm gives no mounts')
})

test('the fields of the reference, and ours, are read', () => {
  const spec = {
    kernel_image: 'default',
    root_file_system: 'debian/root.ext4',
    kernel_args: 'debug',
    mmds_message: '{}',
    environment: { A: 1 }
  }
  expect(parseMicrovmSpec(workload({ type: 'firecracker', ...spec }))).toMatchObject({
    kernel: undefined,
    root: { type: 'file', path: 'debian/root.ext4' },
    kernelArguments: 'debug',
    metadata: '{}',
    command: undefined,
    environment: ['A=1']
  })
})

test('a command inside is one, whatever is in its words', () => {
  expect(commandScript(['echo', `it's "$HOME"; reboot`])).toBe(
    `exec /bin/busybox sh /job/enter 'echo' 'it'\\''s "$HOME"; reboot'\n`
  )
})

test('a machine of root runs as a user of its own, with what it may not do, and no network', () => {
  const user = machineUser('a', undefined)
  const command = qemuCommand({
    acceleration: 'tcg',
    cores: 1.5,
    memory: mebibytes(130.5),
    kernelArguments: 'a "b',
    drives: ['root'],
    user
  })
  expect(user.uid).toBeGreaterThanOrEqual(2_000_000_000)
  expect(machineUser('b', 108)).toMatchObject({ gid: 108 })
  expect(command.slice(0, 8)).toEqual(['unshare', '--net', '--ipc', '--', 'setpriv', '--pdeathsig', 'KILL', '--no-new-privs'])
  expect(command[command.indexOf('--reuid') + 1]).toBe(String(user.uid))
  expect(command[command.indexOf('-m') + 1]).toBe('130M')
  expect(command[command.indexOf('-smp') + 1]).toBe('2')
  expect(command[command.indexOf('-append') + 1]).toMatch(/ a "b$/)
  const machine = command.slice(command.indexOf('qemu-system-x86_64'))
  expect(machine.filter((word) => /netdev|-nic|-net\b|-qmp|-monitor|-vnc/.test(word))).toEqual([])
  expect(command).toContain('on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny')
})
