import type { Actor } from '../../actor/index.ts'
import { bytes, DmsError } from '../../base/index.ts'
import type { HardwareProbe, Machine } from '../../hardware/index.ts'
import {
  broadcastHello,
  hardwareSpec,
  hello,
  offboard,
  onboard,
  onboardingStatus,
  peersConnect,
  peersList,
  peersPing,
  peersSelf,
  publicStatus,
  resourcesAllocated,
  resourcesFree,
  resourcesOnboarded,
  type WireResources
} from '../../protocol/index.ts'
import type { Onboarding } from '../onboarding/index.ts'
import { type Amount, NOTHING, type ResourceLedger } from '../resources/index.ts'
import { UnsupportedOfferError } from './errors.ts'
import type { PeerDirectory } from './peers.ts'
import type { Spread } from './spread.ts'

/** What the node's own behaviours speak to. */
export interface NodeBehaviorsOptions {
  readonly actor: Actor
  readonly peers: PeerDirectory
  readonly hardware: HardwareProbe
  readonly onboarding: Onboarding
  readonly ledger: ResourceLedger
  /** Spreads the answers to broadcasts. */
  readonly spread: Spread
}

/** Serves hello, status, peers, onboarding and resources (B §7.1). */
export function serveNodeBehaviors({ actor, peers, hardware, onboarding, ledger, spread }: NodeBehaviorsOptions): void {
  const greeting = async () => ({ did: { uri: actor.handle.did } })
  actor.on(hello, greeting)
  actor.on(broadcastHello, spread.over(greeting))
  actor.on(publicStatus, async () => ({ status: 'OK', resources: machineResources(await hardware.capacity()) }))
  actor.on(peersSelf, async () => ({ id: peers.peerId, listenAddress: peers.addresses().join(', '), did: actor.handle.did }))
  actor.on(peersList, async () => ({ upper: peers.peers(), lower: peers.peers().map((id) => ({ id })) }))
  actor.on(peersPing, async ({ host }, _envelope, options) => {
    try {
      const roundTrip = await peers.ping(host, options)
      return { error: '', rtt: Math.max(1, Math.round(roundTrip)), rttMicros: Math.round(roundTrip * 1000) }
    } catch (error) {
      // Clients read the failure from the reply (B §7.1, E §2.1).
      if (error instanceof DmsError) return { error: error.message, rtt: 0 }
      throw error
    }
  })
  actor.on(peersConnect, async ({ address }, _envelope, options) => {
    const peer = await peers.connect(address, options)
    return { status: 'CONNECTED', error: '', peer }
  })
  actor.on(onboard, async ({ gpus, config }, _envelope, options) => {
    if (gpus.length > 0) throw new UnsupportedOfferError('GPUs cannot be offered by this version yet; leave --gpus out')
    const offered = await onboarding.onboard(toAmount(config.resources), options)
    return {
      success: true,
      error: '',
      config: { onboarded: true, resources: amountResources(offered, await hardware.capacity(options)) }
    }
  })
  actor.on(offboard, async () => {
    await onboarding.offboard()
    return { success: true, error: '' }
  })
  actor.on(onboardingStatus, async () => ({ onboarded: onboarding.isOnboarded(), error: '' }))
  const amounts = [
    [resourcesFree, () => ledger.free()],
    [resourcesAllocated, () => ledger.allocated()],
    [resourcesOnboarded, () => ledger.offer() ?? NOTHING]
  ] as const
  for (const [behavior, amount] of amounts) {
    actor.on(behavior, async () => ({ ok: true, resources: amountResources(amount(), await hardware.capacity()) }))
  }
  actor.on(hardwareSpec, async () => ({ ok: true, resources: machineResources(await hardware.capacity()) }))
}

/** The part of wire resources that is lent and promised. */
export function toAmount({ cpu, ram, disk }: WireResources): Amount {
  return { cpuCores: Math.round(cpu.cores * 100) / 100, memory: bytes(ram.size), disk: bytes(disk.size) }
}

function amountResources({ cpuCores, memory, disk }: Amount, machine: Machine): WireResources {
  const { model, vendor, architecture, clockHz } = machine.cpu
  return {
    cpu: { clockHz, cores: cpuCores, model, vendor, threads: 0, architecture, cacheBytes: 0 },
    gpus: [],
    ram: { size: memory, clockSpeed: 0, type: '' },
    disk: { size: disk, type: '' }
  }
}

function machineResources({ cpu, memory, disk, gpus }: Machine): WireResources {
  const { clockHz, cores, model, vendor, threads, architecture, cacheBytes } = cpu
  return {
    cpu: { clockHz, cores, model, vendor, threads, architecture, cacheBytes },
    gpus: gpus.map(({ index, vendor: maker, pciAddress, model: name, vram, uuid }) => ({
      index,
      vendor: maker,
      pciAddress,
      model: name,
      vram,
      uuid
    })),
    ram: { size: memory, clockSpeed: 0, type: '' },
    disk: { size: disk.total, type: '' }
  }
}
