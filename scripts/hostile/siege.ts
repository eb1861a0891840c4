import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createMachines, type TestMachine } from '../../test/support/machine.ts'
import {
  commandQuestion,
  greetingQuestion,
  type Held,
  heldBy,
  honestQuestion,
  type Observation,
  observe,
  ownerQuestion
} from './observe.ts'
import { describeTarget, type Target } from './target.ts'

/** How a node is besieged. */
export interface SiegeOptions {
  readonly seconds: number
  /** Parts of the names of the attacks; none = all. */
  readonly attacks?: readonly string[]
  /** How long the node may take to give memory back. */
  readonly calmSeconds: number
  readonly say?: (text: string) => void
}

/** What a siege showed. */
export interface Siege {
  readonly before: Held
  /** The most that was held during the attacks. */
  readonly most: Held
  readonly after: Held
  readonly isUp: boolean
  readonly observations: readonly Observation[]
  /** How often each attack did what it does. */
  readonly attacks: readonly (readonly [name: string, count: number])[]
}

/** How long the node runs before its memory counts as that of a node at rest. */
const REST_MS = 15_000

/** Memory counts as given back at this share of what was held before. */
const GIVEN_BACK = 1.2

/** Attacks a real daemon from another process while its owner and an honest node use it. */
export async function besiege({ seconds, attacks = [], calmSeconds, say = () => undefined }: SiegeOptions): Promise<Siege> {
  const machines = await createMachines()
  try {
    const [node, honest] = [await machines.create('node'), await machines.create('honest')]
    await machines.trust(node, honest)
    await Promise.all([node.start(), honest.start()])
    const target = await describeTarget(node)
    await honest.command('/dms/node/peers/connect', '--address', target.address)
    const pid = node.daemon?.pid ?? 0
    await observeFor(5000, node, honest)
    await pause(REST_MS)
    const before = await heldBy(pid)
    say(`at rest: ${before.residentMiB.toFixed(0)} MiB, ${before.descriptors} descriptors`)

    const attackers = await startAttackers(target, seconds, attacks)
    const watching = new AbortController()
    const most = watchHeld(pid, watching.signal, say)
    const observations = await observeFor(seconds * 1000, node, honest)
    const counts = await attackers.stop()
    watching.abort()

    const after = await calm(pid, before, calmSeconds)
    const isUp = await node.command('/dms/node/peers/self').then(
      () => true,
      () => false
    )
    return { before, most: await most, after, isUp, observations, attacks: counts }
  } finally {
    await machines.dispose()
  }
}

async function observeFor(milliseconds: number, node: TestMachine, honest: TestMachine): Promise<readonly Observation[]> {
  const signal = AbortSignal.timeout(milliseconds)
  const questions = [ownerQuestion(node), commandQuestion(node), honestQuestion(honest, node), greetingQuestion(honest, node)]
  return await Promise.all(questions.map((question) => observe(question, signal)))
}

async function watchHeld(pid: number, signal: AbortSignal, say: (text: string) => void): Promise<Held> {
  let most: Held = { residentMiB: 0, descriptors: 0 }
  for (let round = 0; !signal.aborted; round += 1) {
    const held = await heldBy(pid).catch(() => most) // it is gone: that shows elsewhere
    if (round % 20 === 0) say(`under attack: ${held.residentMiB.toFixed(0)} MiB, ${held.descriptors} descriptors`)
    most = {
      residentMiB: Math.max(most.residentMiB, held.residentMiB),
      descriptors: Math.max(most.descriptors, held.descriptors)
    }
    await pause(500, undefined, { signal }).catch(() => undefined) // the end of the siege
  }
  return most
}

async function calm(pid: number, before: Held, seconds: number): Promise<Held> {
  const deadline = Date.now() + seconds * 1000
  let held = await heldBy(pid)
  while (Date.now() < deadline && held.residentMiB > GIVEN_BACK * before.residentMiB) {
    await pause(1000)
    held = await heldBy(pid)
  }
  return held
}

interface Attackers {
  /** Ends all attacks and resolves with how often each was made. */
  stop(): Promise<Siege['attacks']>
}

async function startAttackers(target: Target, seconds: number, attacks: readonly string[]): Promise<Attackers> {
  const program = fileURLToPath(new URL('attackers.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', program, String(seconds), ...attacks], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  // Real attackers have machines of their own: these shall load the node, not take its processor from it.
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  child.stdin.end(JSON.stringify(target))
  const closed = once(child, 'close')
  const lines: string[] = []
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') resolve()
      else lines.push(line)
    })
    closed.then(() => reject(new Error('the attackers did not start')), reject)
  })
  return {
    async stop() {
      child.kill('SIGTERM')
      const cut = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await closed
      clearTimeout(cut)
      return JSON.parse(lines.at(-1) ?? '[]') as Siege['attacks']
    }
  }
}
