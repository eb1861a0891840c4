import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { type AbortOptions, errorMessage, seconds } from '../../base/index.ts'
import { ExecutorUnavailableError } from '../errors.ts'
import type { Probe } from '../executor.ts'
import { findGuest } from './guest.ts'
import { runProgram } from './programs.ts'
import type { Acceleration } from './qemu.ts'

/** What the owner says about the processor of guests. */
export type AccelerationChoice = 'auto' | Acceleration

/** How guests run here. */
export interface ChosenAcceleration {
  readonly acceleration: Acceleration
  /** The group that may use it; `undefined` for emulation, which anybody may use. */
  readonly group: number | undefined
}

const KVM = '/dev/kvm'
const PROGRAM_LIMIT = seconds(10)

/** @throws ExecutorUnavailableError when the owner wants what this process may not use. */
export async function chooseAcceleration(choice: AccelerationChoice): Promise<ChosenAcceleration> {
  if (choice === 'tcg') return { acceleration: 'tcg', group: undefined }
  try {
    await access(KVM, constants.R_OK | constants.W_OK)
    const { gid, mode } = await stat(KVM)
    if (process.getuid?.() === 0 && !(mode & constants.S_IRGRP && mode & constants.S_IWGRP && gid !== 0)) {
      throw new Error('its group must not be root and must be allowed to use it')
    }
    return { acceleration: 'kvm', group: gid }
  } catch (error) {
    if (choice === 'auto') return { acceleration: 'tcg', group: undefined }
    throw new ExecutorUnavailableError(`${KVM} cannot be used: ${errorMessage(error)}`)
  }
}

/** Whether machines can be started here, or what is missing. */
export async function probeMicrovm(
  options: { readonly guestDirectory: string; readonly acceleration: AccelerationChoice },
  { signal }: AbortOptions = {}
): Promise<Probe> {
  if (process.arch !== 'x64')
    return { available: false, reason: `micro machines need a processor x86-64, this one is ${process.arch}` }
  for (const [program, advice] of NEEDED) {
    const { isDone, stdout, complaint } = await runProgram(program, ['--version'], {
      limit: PROGRAM_LIMIT,
      ...(signal && { signal })
    })
    if (!isDone) return { available: false, reason: `${complaint}; install it: sudo apt install ${advice}` }
    if (program === QEMU) return await probeGuest(options, /version (\S+)/.exec(stdout)?.[1] ?? 'of unknown version')
  }
  return { available: false, reason: 'no program starts machines' }
}

const QEMU = 'qemu-system-x86_64'
const NEEDED = [
  ['setpriv', 'util-linux'],
  [QEMU, 'qemu-system-x86']
] as const

async function probeGuest(
  { guestDirectory, acceleration: choice }: Parameters<typeof probeMicrovm>[0],
  version: string
): Promise<Probe> {
  try {
    const guest = await findGuest(guestDirectory)
    const { acceleration } = await chooseAcceleration(choice)
    const how = acceleration === 'kvm' ? 'KVM' : 'emulation'
    return { available: true, version: `QEMU ${version}, ${how}, Linux ${guest.version}` }
  } catch (error) {
    return { available: false, reason: errorMessage(error) }
  }
}
