import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { millis, systemClock, systemRandom } from '../../src/base/index.ts'
import { createClient, createSession } from '../../src/client/index.ts'
import { createContext } from '../../src/ucan/index.ts'
import type { TestMachine } from '../../test/support/machine.ts'

/** What an observer saw: how long each answer took, and what failed. */
export interface Observation {
  readonly name: string
  readonly milliseconds: readonly number[]
  readonly failures: readonly string[]
}

/** What a process holds. */
export interface Held {
  readonly residentMiB: number
  readonly descriptors: number
}

/** Reads what a process holds from /proc. */
export async function heldBy(pid: number): Promise<Held> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  const { length } = await readdir(`/proc/${pid}/fd`)
  return { residentMiB: Number(kibibytes) / 1024, descriptors: length }
}

/** A question that an observer asks again and again. */
export interface Question {
  readonly name: string
  readonly everyMs: number
  ask(): Promise<void>
}

/** The owner asks their node, as the command line does it. */
export function ownerQuestion(machine: TestMachine): Question {
  const session = sessionOf(machine)
  return {
    name: 'the owner’s /dms/node/peers/self',
    everyMs: 500,
    ask: async () => void (await session.invoke({ behavior: '/dms/node/peers/self', timeout: millis(10_000) }))
  }
}

/** The owner runs the program. */
export function commandQuestion(machine: TestMachine): Question {
  return {
    name: 'the owner’s whole `nunet actor cmd`, its start included',
    everyMs: 10_000,
    ask: async () => void (await machine.command('/dms/node/peers/self', '-t', '10s'))
  }
}

/** An honest node asks the node that is attacked. */
export function honestQuestion(honest: TestMachine, attacked: TestMachine): Question {
  const session = sessionOf(honest)
  return {
    name: 'another node’s ping',
    everyMs: 1000,
    ask: async () => {
      const reply = (await session.invoke({
        behavior: '/dms/node/peers/ping',
        payload: { Host: attacked.dms.peerId },
        timeout: millis(10_000)
      })) as { readonly error?: string; readonly Error?: string }
      const failed = reply.error ?? reply.Error ?? ''
      if (failed !== '') throw new Error(failed)
    }
  }
}

/** An honest member asks the node that is attacked, by a message over its own node. */
export function greetingQuestion(honest: TestMachine, attacked: TestMachine): Question {
  return {
    name: 'another node’s /public/hello, its command included',
    everyMs: 3000,
    ask: async () =>
      void (await honest.succeed('actor', 'cmd', '-c', 'dms', '-t', '10s', '/public/hello', '--dest', attacked.dms.peerId))
  }
}

/** Where a machine of the tests has the socket of its owner. */
export function socketOf({ home, restPort }: TestMachine): string {
  return join(home, 'data', 'run', `rest-${restPort}.sock`)
}

function sessionOf(machine: TestMachine) {
  return createSession({
    client: createClient({ tcp: { host: '127.0.0.1', port: machine.restPort }, socket: socketOf(machine) }),
    context: createContext({ signer: machine.user }),
    clock: systemClock,
    random: systemRandom
  })
}

/** Asks until the signal; an answer that is under way then is still waited for. */
export async function observe({ name, everyMs, ask }: Question, signal: AbortSignal): Promise<Observation> {
  const milliseconds: number[] = []
  const failures: string[] = []
  while (!signal.aborted) {
    const begun = performance.now()
    try {
      await ask()
      milliseconds.push(performance.now() - begun)
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
    await pause(everyMs, undefined, { signal }).catch(() => undefined) // the end of the observation
  }
  return { name, milliseconds, failures }
}

/** The value below which a part of all values lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
}
