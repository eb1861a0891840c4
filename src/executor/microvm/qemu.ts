import { createHash } from 'node:crypto'
import { type Bytes, mebibytes } from '../../base/index.ts'

/** How the processor of the guest is made. */
export type Acceleration = 'kvm' | 'tcg'

/** One machine. */
export interface Machine {
  readonly acceleration: Acceleration
  readonly cores: number
  readonly memory: Bytes
  readonly kernelArguments: string | undefined
  /** What the guest finds its drives by, in the order of their files. */
  readonly drives: readonly string[]
  /** The user as whom the machine runs; `undefined`: the daemon's, which is not root. */
  readonly user: MachineUser | undefined
}

/** A user and group of the kernel that no person has. */
export interface MachineUser {
  readonly uid: number
  readonly gid: number
}

/** What QEMU uses beside the memory of the guest: its own and the translated code. */
export const QEMU_OVERHEAD = mebibytes(256)
/** Descriptors of the monitor's channels, in the order of the guest's ports; the console first. */
const CHANNELS = { console: 3, stdout: 4, stderr: 5, control: 6 } as const
/** The first descriptor of a file: the kernel, then the initrd, then the drives. */
export const FIRST_FILE = 7
const FIRST_USER = 2_000_000_000
const USERS = 0x100_0000

/**
 * Without a processor's virtualization. The guest's time follows the instructions that it runs: a guest of real time takes a pause of a busy
 * host for a fault of its clocks, and then waits for ever while it starts (tried).
 */
const EMULATION: readonly string[] = ['-accel', 'tcg,tb-size=64', '-icount', 'shift=auto', '-cpu', 'max']
const KERNEL_ARGUMENTS = 'console=ttyS0 quiet loglevel=3 reboot=t panic=-1 random.trust_cpu=on'

/**
 * The user of a workload: a number that no account has, another for nearly every workload, so that a machine that breaks out can touch
 * neither files nor processes of others. Between those of containers and those of dynamic users in systemd's table of user ids.
 */
export function machineUser(workloadId: string, kvmGroup: number | undefined): MachineUser {
  const uid = FIRST_USER + (createHash('sha256').update(workloadId).digest().readUInt32BE(0) % USERS)
  return { uid, gid: kvmGroup ?? uid }
}

/**
 * The command line of QEMU's small machine, without a network, a display, a monitor, or anything else that it makes by itself.
 *
 * `setpriv` makes it die with the monitor and takes away what it does not need; QEMU's own filter of system calls keeps it from
 * starting programs and from rising again.
 */
export function qemuCommand(machine: Machine): readonly string[] {
  const { acceleration, cores, memory, kernelArguments, drives, user } = machine
  const [kernel, initrd] = [FIRST_FILE, FIRST_FILE + 1].map((descriptor) => `/proc/self/fd/${descriptor}`)
  return [
    ...confinement(user),
    'qemu-system-x86_64',
    ...['-M', 'microvm', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...(acceleration === 'kvm' ? ['-accel', 'kvm', '-cpu', 'host'] : EMULATION),
    ...['-smp', String(Math.max(1, Math.ceil(cores))), '-m', `${Math.floor(memory / mebibytes(1))}M`],
    ...['-kernel', kernel ?? '', '-initrd', initrd ?? ''],
    ...['-append', [KERNEL_ARGUMENTS, kernelArguments].filter((part) => part !== undefined).join(' ')],
    ...channels(),
    ...drives.flatMap((serial, index) => drive(serial, index))
  ]
}

function confinement(user: MachineUser | undefined): readonly string[] {
  const rights = ['--pdeathsig', 'KILL', '--no-new-privs']
  if (user === undefined) return ['setpriv', ...rights, '--']
  const identity = ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups', '--bounding-set', '-all']
  return ['setpriv', ...rights, ...identity, '--']
}

function channels(): readonly string[] {
  const socket = (name: keyof typeof CHANNELS): string[] => ['-chardev', `socket,id=${name},fd=${CHANNELS[name]}`]
  const port = (name: keyof typeof CHANNELS, number: number): string[] => [
    ...socket(name),
    ...['-device', `virtserialport,chardev=${name},nr=${number},name=nunet.${name}`]
  ]
  return [
    ...[...socket('console'), '-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-device,max_ports=4'],
    ...[...port('stdout', 1), ...port('stderr', 2), ...port('control', 3)],
    ...['-object', 'rng-random,id=random,filename=/dev/urandom', '-device', 'virtio-rng-device,rng=random']
  ]
}

function drive(serial: string, index: number): readonly string[] {
  const file = `/proc/self/fd/${FIRST_FILE + 2 + index}`
  return [
    ...['-drive', `if=none,id=drive${index},file=${file},format=raw,cache=writeback,discard=unmap`],
    ...['-device', `virtio-blk-device,drive=drive${index},serial=${serial}`]
  ]
}
