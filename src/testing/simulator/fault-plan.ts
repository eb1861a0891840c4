import { hours, minutes } from '../../base/index.ts'
import type { Fault, Faults } from './faults.ts'
import type { SimulatedNetwork } from './network.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { Wire } from './wire.ts'
import type { World } from './world.ts'

/** What a fault may do to. */
export interface FaultTarget {
  readonly world: World
  readonly nodes: readonly SimulatedNode[]
  readonly network: SimulatedNetwork
  readonly wire: Wire
}

/** Mean time between two faults of a kind in a world of a day, in milliseconds. */
const MEAN_GAPS: Readonly<Partial<Record<Fault, number>>> = {
  partition: hours(3),
  crash: minutes(90),
  kill: hours(4),
  reboot: hours(12),
  skew: hours(2),
  full: hours(4),
  slow: hours(4),
  executor: hours(4)
}

/** How long a program stays away after it has died: a supervisor's pause, or a machine that is off. */
const AWAY_MS = { short: 5000, long: hours(1) }

/** A fault that comes and goes. */
type Strike = (target: FaultTarget) => void

/** Lets faults happen until `end`, and then stops and repairs all of them; nodes that are gone stay gone. */
export function startFaults(target: FaultTarget, faults: Faults, end: number): void {
  const { world, nodes } = target
  const scale = Math.min(1, (end - world.now()) / hours(24)) // a short run has as many faults as a long one
  for (const [fault, strike] of Object.entries(STRIKES) as [Fault, Strike][]) {
    if (faults.has(fault)) void repeat(target, { fault, strike, gap: (MEAN_GAPS[fault] ?? hours(4)) * scale, end })
  }
  if (faults.has('skew')) for (const node of nodes) setClock(target, node)
  if (faults.has('gone')) loseSome(target, end)
  world.after(end - world.now(), () => repairAll(target))
}

/** A node whose program has died is started again, later. */
export function restartLater(world: World, node: SimulatedNode): void {
  if (node.isGone) return
  const chance = node.chance
  const pause = chance.happens(0.8) ? AWAY_MS.short + chance.between(0, 10_000) : chance.between(AWAY_MS.short, AWAY_MS.long)
  world.after(pause, () => void node.start())
}

async function repeat(
  target: FaultTarget,
  { fault, strike, gap, end }: { readonly fault: Fault; readonly strike: Strike; readonly gap: number; readonly end: number }
): Promise<void> {
  const { world } = target
  const chance = world.chance.fork(fault)
  for (;;) {
    await world.sleep(chance.gap(gap))
    if (world.now() >= end) return
    strike(target)
  }
}

function anyNode({ world, nodes }: FaultTarget): SimulatedNode {
  return world.chance.pick(nodes)
}

function forAWhile({ world }: FaultTarget, longest: number, undo: () => void): void {
  world.after(world.chance.between(1000, longest), undo)
}

const STRIKES: Readonly<Partial<Record<Fault, Strike>>> = {
  partition(target) {
    const { world, network, nodes } = target
    const { chance } = world
    const [first, second] = [anyNode(target), anyNode(target)]
    switch (chance.between(0, 2)) {
      case 0: {
        const sides = new Map(nodes.map(({ key }) => [key.peerId, chance.between(0, 1)]))
        world.note('network', `splits: ${nodes.map(({ name, key }) => `${name}=${sides.get(key.peerId)}`).join(' ')}`)
        network.split((peer) => sides.get(peer) ?? 0)
        break
      }
      case 1:
        world.note('network', `isolates ${first.name}`)
        network.split((peer) => (peer === first.key.peerId ? 1 : 0))
        break
      default:
        world.note('network', `loses all from ${first.name} to ${second.name}`)
        network.silence(first.key.peerId, second.key.peerId)
    }
    forAWhile(target, chance.happens(0.2) ? hours(2) : minutes(10), () => {
      world.note('network', 'heals')
      network.heal()
    })
  },
  crash(target) {
    const node = anyNode(target)
    if (node.running === undefined) return
    node.crashPoint = target.world.chance.happens(0.5) ? 'before' : 'after'
    target.world.note(node.name, `dies ${node.crashPoint} its next write`)
  },
  kill: (target) => anyNode(target).kill('at a random moment'),
  reboot(target) {
    const node = anyNode(target)
    node.kill('its machine restarts')
    node.workloads.machine = { runs: new Map() }
  },
  skew: (target) => setClock(target, anyNode(target)),
  full(target) {
    const { disk, name } = anyNode(target)
    disk.isFull = true
    target.world.note(name, 'disk is full')
    forAWhile(target, minutes(20), () => {
      disk.isFull = false
      target.world.note(name, 'disk has room')
    })
  },
  slow(target) {
    const { disk, name } = anyNode(target)
    disk.slowness = target.world.chance.between(10, 3000)
    target.world.note(name, `disk takes up to ${disk.slowness} ms`)
    forAWhile(target, minutes(20), () => {
      disk.slowness = 0
      target.world.note(name, 'disk is fast')
    })
  },
  executor(target) {
    const { chance } = target.world
    const { workloads, name } = anyNode(target)
    workloads.isAway = chance.happens(0.4)
    workloads.slowness = chance.happens(0.5) ? chance.between(100, 60_000) : 0
    workloads.failures = chance.happens(0.5) ? 0.5 : 0
    target.world.note(name, `executor is ${workloads.isAway ? 'away' : 'in trouble'}`)
    forAWhile(target, minutes(20), () => {
      mend(workloads)
      target.world.note(name, 'executor works')
    })
  }
}

/** A clock is set: a little wrong, and faster or slower by up to a tenth of a second an hour. */
function setClock({ world }: FaultTarget, node: SimulatedNode): void {
  node.time.offset = world.chance.between(-1500, 1500)
  node.time.drift = world.chance.between(-28, 28) / 1_000_000
  node.time.setAt = world.now()
  world.note(node.name, `clock is set, ${node.time.offset} ms wrong`)
}

/** A tenth of the nodes, at least one of many, leave without a word. */
function loseSome({ world, nodes }: FaultTarget, end: number): void {
  const chance = world.chance.fork('gone')
  for (let count = Math.round(nodes.length / 10); count > 0; count -= 1) {
    const node = chance.pick(nodes)
    world.after(chance.between(0, end - world.now()), () => {
      node.isGone = true
      if (node.running === undefined) world.note(node.name, 'never comes back')
      else node.kill('it leaves for good')
    })
  }
}

function mend(workloads: SimulatedNode['workloads']): void {
  workloads.isAway = false
  workloads.slowness = 0
  workloads.failures = 0
}

function repairAll({ world, nodes, network, wire }: FaultTarget): void {
  world.note('world', 'all faults end')
  wire.repair()
  network.heal()
  for (const node of nodes) {
    node.disk.isFull = false
    node.disk.slowness = 0
    node.crashPoint = undefined
    mend(node.workloads)
  }
}
