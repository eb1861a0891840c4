import type { Bytes } from '../../base/index.ts'

/** What the tool of a vendor tells of one card; members that it does not tell are missing. */
export interface CardDetails {
  /** `0000:65:00.0`. */
  readonly pciAddress: string
  readonly uuid?: string
  readonly model?: string
  readonly vram?: Bytes
  readonly vramUsed?: Bytes
}
