import type { ActorSystem } from '../../actor/index.ts'
import type { Node } from '../../dms/index.ts'
import type { KeyPair } from '../../identity/index.ts'
import type { ContextFile } from '../../ucan/index.ts'
import type { Chance } from './chance.ts'
import type { CrashPoint, Disk } from './disk.ts'
import type { WorkloadHost } from './machine.ts'
import type { MachineTime, SimulatedProcess } from './process.ts'

/** One life of a node's program. */
export interface Running {
  readonly process: SimulatedProcess
  readonly actors: ActorSystem
  readonly node: Node
  readonly contextFile: ContextFile
  /** False until everything is restored and served. */
  isReady: boolean
}

/** A node of a simulated world: its machine, which lasts, and its program, which comes and goes. */
export interface SimulatedNode {
  /** `n07`. */
  readonly name: string
  readonly key: KeyPair
  /** The owner of the node. */
  readonly user: KeyPair
  readonly disk: Disk
  readonly workloads: WorkloadHost
  readonly time: MachineTime
  readonly chance: Chance
  /** Its program, while it runs. */
  running: Running | undefined
  /** Whether it has left for good. */
  isGone: boolean
  /** Set by faults: whether the program dies at the write that is next. */
  crashPoint: CrashPoint
  now(): number
  /** Starts the program; resolves when it serves, or has given up, and never when it dies meanwhile. */
  start(): Promise<void>
  /** Ends the program as `kill -9` does. */
  kill(reason: string): void
}
