import type { Actor, Counters } from '../../actor/index.ts'
import { errorMessage } from '../../base/index.ts'
import type { HardwareProbe, Machine } from '../../hardware/index.ts'
import {
  broadcastStatus,
  type NodeStatus,
  nodeMetrics,
  nodeStatus,
  type PublicFacts,
  publicStatus,
  type WireResources
} from '../../protocol/index.ts'
import { type Allocations, statusText } from '../allocation/index.ts'
import { type Deployments, statusOf } from '../deployment/index.ts'
import { NOTHING, type ResourceLedger } from '../resources/index.ts'
import type { ExecutorWatch } from './executors.ts'
import type { HostFacts } from './host.ts'
import type { PeerDirectory } from './peers.ts'
import type { Spread } from './spread.ts'
import { amountResources, machineResources, UNKNOWN_MACHINE, withoutSerials } from './wire-resources.ts'

/** What the status behaviours speak to. */
export interface StatusBehaviorsOptions {
  readonly actor: Actor
  readonly host: HostFacts
  readonly peers: PeerDirectory
  readonly hardware: HardwareProbe
  readonly ledger: ResourceLedger
  readonly executors: ExecutorWatch
  readonly allocations: Pick<Allocations, 'list'>
  readonly deployments: Pick<Deployments, 'list'>
  readonly counters: Counters
  /** Spreads the answers to broadcasts. */
  readonly spread: Spread
}

/** Serves the status for the owner, for everybody and as a broadcast, and the counts (B §7.1). */
export function serveStatusBehaviors(options: StatusBehaviorsOptions): void {
  const { actor, host, peers, allocations, deployments, counters, spread } = options
  actor.on(nodeStatus, async () => ({ [peers.peerId]: await describeForOwner(options) }))
  actor.on(
    broadcastStatus,
    spread.over(async () => ({ [peers.peerId]: await describeForAll(options) }))
  )
  actor.on(publicStatus, async () => {
    const { machine, error } = await readMachine(options.hardware)
    return { status: error === undefined ? 'OK' : 'ERROR', resources: withoutSerials(machineResources(machine)) }
  })
  actor.on(nodeMetrics, async () => {
    const { uptimeSeconds, ...vitals } = host.vitals()
    return {
      ok: true,
      process: { uptime: uptimeSeconds, ...vitals },
      peers: peers.peers().length,
      network: numbersOf(peers.stats()),
      counters: counters.snapshot(),
      allocations: tally(allocations.list().map(({ state }) => statusText(state))),
      deployments: tally(deployments.list().map(({ state }) => statusOf(state)))
    }
  })
}

async function describeForOwner(options: StatusBehaviorsOptions): Promise<NodeStatus> {
  const { actor, host, peers, ledger, executors, hardware } = options
  const { machine, error } = await readMachine(hardware)
  const missing = [...executors.reasons()].sort(byName)
  return {
    hostname: host.hostName(),
    did: actor.handle.did,
    version: host.version,
    network: {
      interfaces: host.interfaces().map(({ name, addresses, mac }) => ({ name, ip: addresses, mac })),
      p2p: { id: peers.peerId, listenAddress: peers.addresses().join(', '), reachability: peers.reachability() }
    },
    onboarded: ledger.offer() !== undefined,
    resources: {
      total: machineResources(machine),
      onboarded: amountResources(ledger.offer() ?? NOTHING, machine),
      allocated: amountResources(ledger.allocated(), machine),
      free: amountResources(ledger.free(), machine)
    },
    executors: [
      ...[...executors.available()].sort().map((name) => ({ name, available: true })),
      ...missing.map(([name, reason]) => ({ name, available: false, reason }))
    ],
    config: host.config(),
    errors: error === undefined ? [] : [error]
  }
}

/** The type of the result has no member for a host name, an address or the configuration. */
async function describeForAll({ actor, host, peers, ledger, executors, hardware }: StatusBehaviorsOptions): Promise<PublicFacts> {
  const { machine } = await readMachine(hardware)
  const amount = (value: typeof NOTHING): WireResources => withoutSerials(amountResources(value, anonymous(machine)))
  return {
    did: actor.handle.did,
    version: host.version,
    network: { p2p: { id: peers.peerId } },
    onboarded: ledger.offer() !== undefined,
    resources: { onboarded: amount(ledger.offer() ?? NOTHING), free: amount(ledger.free()) },
    executors: [...executors.available()].sort()
  }
}

/** Only what placing a job needs: the architecture, the clock and the kinds of graphics cards. */
function anonymous({ cpu, gpus }: Machine): Pick<Machine, 'cpu' | 'gpus'> {
  return { cpu: { ...cpu, model: '', vendor: '' }, gpus }
}

async function readMachine(hardware: HardwareProbe): Promise<{ readonly machine: Machine; readonly error?: string }> {
  try {
    return { machine: await hardware.capacity() }
  } catch (error) {
    return { machine: UNKNOWN_MACHINE, error: errorMessage(error) }
  }
}

function tally(words: readonly string[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>()
  for (const word of [...words].sort()) counts.set(word, (counts.get(word) ?? 0) + 1)
  return Object.fromEntries(counts)
}

function numbersOf(counts: object): Readonly<Record<string, number>> {
  const numbers = Object.entries(counts).filter((entry): entry is [string, number] => typeof entry[1] === 'number')
  return Object.fromEntries(numbers.sort(byName))
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
