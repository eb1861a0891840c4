import type { Actor } from '../../actor/index.ts'
import type { HardwareProbe } from '../../hardware/index.ts'
import {
  broadcastHello,
  hardwareSpec,
  hardwareUsage,
  hello,
  offboard,
  onboard,
  onboardingResource,
  onboardingStatus,
  resourcesAllocated,
  resourcesFree,
  resourcesOnboarded,
  type WireResources
} from '../../protocol/index.ts'
import { type GpuOffer, type Onboarding, parseGpuOffer } from '../onboarding/index.ts'
import { NOTHING, type ResourceLedger } from '../resources/index.ts'
import { BadRequestError } from './errors.ts'
import type { Greeter } from './hello.ts'
import type { Spread } from './spread.ts'
import { amountResources, machineResources, toAmount, toGpuOffers, usedResources } from './wire-resources.ts'

/** What the node's own behaviours speak to. */
export interface NodeBehaviorsOptions {
  readonly actor: Actor
  readonly greeter: Pick<Greeter, 'heard'>
  readonly hardware: HardwareProbe
  readonly onboarding: Onboarding
  readonly ledger: ResourceLedger
  /** Spreads the answers to broadcasts. */
  readonly spread: Spread
}

/** Serves hello, onboarding, resources and hardware (B §7.1). */
export function serveNodeBehaviors({ actor, greeter, hardware, onboarding, ledger, spread }: NodeBehaviorsOptions): void {
  const greeting = { did: { uri: actor.handle.did } }
  actor.on(hello, async (_nothing, envelope) => {
    greeter.heard(envelope)
    return greeting
  })
  actor.on(
    broadcastHello,
    spread.over(async () => greeting)
  )

  async function lend(offer: WireResources, gpus: readonly GpuOffer[], signal: AbortSignal) {
    const offered = await onboarding.onboard({ ...toAmount(offer), gpus }, { signal })
    return { onboarded: true, resources: amountResources(offered, await hardware.capacity({ signal })) }
  }

  actor.on(onboard, async ({ noGpu, gpus, config }, _envelope, { signal }) => {
    if (noGpu && gpus.length > 0) throw new BadRequestError('NoGPU and GPUs exclude each other')
    const named = gpus.length > 0 ? gpus.map(readGpu) : toGpuOffers(config.resources)
    return { success: true, error: '', config: await lend(config.resources, noGpu ? [] : named, signal) }
  })
  actor.on(onboardingResource, async ({ config }, _envelope, { signal }) => {
    if (!onboarding.isOnboarded()) {
      throw new BadRequestError('the machine lends nothing yet: call /dms/node/onboarding/onboard first')
    }
    return { error: '', result: await lend(config.resources, toGpuOffers(config.resources), signal) }
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
    actor.on(behavior, async (_nothing, _envelope, options) => ({
      ok: true,
      resources: amountResources(amount(), await hardware.capacity(options))
    }))
  }
  actor.on(hardwareSpec, async (_nothing, _envelope, options) => ({
    ok: true,
    resources: machineResources(await hardware.capacity(options))
  }))
  actor.on(hardwareUsage, async (_nothing, _envelope, options) => ({
    ok: true,
    resources: usedResources(await hardware.usage(options), await hardware.capacity(options))
  }))
}

function readGpu(text: string): GpuOffer {
  const offer = parseGpuOffer(text)
  if (!offer.ok) throw new BadRequestError(offer.error)
  return offer.value
}
