import type { JsonValue, LogFields, Millis } from '../../base/index.ts'

/** PORT: the process and the machine around a node, as its owner may see them; satisfied by the composition root. */
export interface HostFacts {
  /** Version of this program. */
  readonly version: string
  hostName(): string
  /** In the order of their names. */
  interfaces(): readonly HostInterface[]
  /** The configuration that counts, without its secrets. */
  config(): JsonValue
  vitals(): ProcessVitals
}

/** A network interface. */
export interface HostInterface {
  readonly name: string
  /** Addresses with the length of their network: `192.0.2.7/24`. */
  readonly addresses: readonly string[]
  readonly mac: string
}

/** What the process uses; sizes in bytes. */
export interface ProcessVitals {
  readonly uptimeSeconds: number
  readonly resident: number
  readonly heapUsed: number
  readonly heapTotal: number
  /** Share of the time since the last question, from 0 to 1, in which the process was busy. */
  readonly loopUse: number
  /** Open sockets, timers and files of the event loop. */
  readonly handles: number
}

/** PORT: the log of the process; satisfied by `telemetry`. */
export interface LogControl {
  /** The names of the levels, the most talkative first. */
  readonly levels: readonly string[]
  /** The least level that is written. */
  level(): string
  /** Counts at once, until the process ends. Takes a name of `levels` in any case; false for others. */
  setLevel(name: string): boolean
  /** The last events, oldest first, without secrets. */
  recent(): readonly LogEvent[]
}

/** One line of the log. */
export interface LogEvent {
  readonly at: Millis
  readonly level: string
  readonly message: string
  readonly fields: LogFields
}
