import type { Handle } from '../../actor/index.ts'
import type { JsonValue, Millis } from '../../base/index.ts'
import type { WireResources } from '../../protocol/index.ts'
import type { Place, PlaceRule } from '../place.ts'

/** One allocation of an ensemble as the orchestrator needs it. */
export interface BlueprintAllocation {
  readonly name: string
  readonly node: string
  readonly type: 'task' | 'service'
  readonly executor: string
  readonly params: JsonValue
  /** Run before the program, in this order. */
  readonly scripts: readonly { readonly name: string; readonly content: Uint8Array }[]
  /** In the form of the wire (C §7.7). */
  readonly volumes: readonly JsonValue[]
  /** Whether it leaves files in a directory of outputs. */
  readonly hasOutputs: boolean
  readonly keys: readonly { readonly type: 'ssh' | 'gpg'; readonly file: string; readonly dest?: string }[]
  readonly cpuCores: number
  readonly clockHz: number
  readonly architecture: string
  readonly memory: number
  readonly disk: number
  /** One per card; what is `''`, or a `vram` of 0, puts no condition. */
  readonly gpus: WireResources['gpus']
  readonly privileged: boolean
  readonly dependsOn: readonly string[]
  readonly dnsName: string
}

/** One node of an ensemble: a group of allocations that must land on one peer. */
export interface BlueprintNode {
  readonly name: string
  readonly peer: string
  readonly place: PlaceRule
  readonly allocations: readonly string[]
}

/** What a deployment is to become; derived from the ensemble. */
export interface Blueprint {
  readonly nodes: readonly BlueprintNode[]
  readonly allocations: ReadonlyMap<string, BlueprintAllocation>
  readonly excludedPeers: readonly string[]
}

/** A valid bid. */
export interface Bid {
  readonly node: string
  readonly peer: string
  readonly handle: Handle
  readonly place: Place
}

/** A node with its home. */
export interface PlannedNode {
  readonly peer: string
  readonly handle: Handle
  readonly place: Place
}

/** An allocation on its way and in its life, as its orchestrator sees it. */
export interface PlannedAllocation {
  /** `<ensemble id>_<node>.<allocation>`. */
  readonly id: string
  readonly node: string
  readonly name: string
  readonly type: 'task' | 'service'
  readonly status: 'pending' | 'running' | 'completed' | 'failed' | 'terminated'
  readonly handle?: Handle
  readonly exitCode?: number
  readonly error: string
  readonly startedAt?: Millis
  readonly endedAt?: Millis
  /** Whether the whole output lies on this machine. */
  readonly hasOutput: boolean
}

/** Who runs what. The keys of `allocations` are manifest keys, `<node>.<allocation>` (C §8.1). */
export interface Plan {
  readonly nodes: Readonly<Record<string, PlannedNode>>
  readonly allocations: Readonly<Record<string, PlannedAllocation>>
}

/** Whether an allocation has come to its end. */
export function hasEnded({ status }: PlannedAllocation): boolean {
  return status === 'completed' || status === 'failed' || status === 'terminated'
}

/** The manifest keys of a plan, sorted by dependency: what depends on nothing first. Each level may start at once. */
export function startLevels(blueprint: Blueprint, plan: Plan): readonly (readonly string[])[] {
  const levels: string[][] = []
  const levelOf = new Map<string, number>()
  function depth(name: string, seen: ReadonlySet<string>): number {
    const known = levelOf.get(name)
    if (known !== undefined) return known
    const allocation = blueprint.allocations.get(name)
    const others = (allocation?.dependsOn ?? []).filter((other) => !seen.has(other))
    const level = Math.max(-1, ...others.map((other) => depth(other, new Set([...seen, name])))) + 1
    levelOf.set(name, level)
    return level
  }
  for (const [key, { name }] of Object.entries(plan.allocations)) {
    const level = depth(name, new Set([name]))
    levels[level] = [...(levels[level] ?? []), key]
  }
  return levels.filter((level) => level.length > 0)
}
