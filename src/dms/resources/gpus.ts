import { type Bytes, bytes } from '../../base/index.ts'

/** A part of the memory of one graphics card. */
export interface GpuShare {
  /** What the card is known by on this machine: its UUID where its vendor gives one, else its address on the PCI bus. */
  readonly device: string
  readonly vram: Bytes
}

/** What a card is known by in shares: stays the same over restarts, which its index does not. */
export function deviceOf({ uuid, pciAddress }: { readonly uuid: string; readonly pciAddress: string }): string {
  return uuid === '' ? pciAddress : uuid
}

/** Memory of one card in a list of shares. */
export function vramOf(shares: readonly GpuShare[], device: string): number {
  return shares.reduce((sum, share) => (share.device === device ? sum + share.vram : sum), 0)
}

/** The sum of two lists, one share per card, in the order in which the cards come. */
export function addShares(a: readonly GpuShare[], b: readonly GpuShare[]): readonly GpuShare[] {
  return devicesIn([...a, ...b]).map((device) => ({ device, vram: bytes(vramOf(a, device) + vramOf(b, device)) }))
}

/** What is left of each card of `a`, never below zero; a card of which nothing is left stays in the list. */
export function subtractShares(a: readonly GpuShare[], b: readonly GpuShare[]): readonly GpuShare[] {
  return devicesIn(a).map((device) => ({ device, vram: bytes(Math.max(0, vramOf(a, device) - vramOf(b, device))) }))
}

/** Cards of `need` that `have` lacks, or has too little memory of. */
export function missingShares(have: readonly GpuShare[], need: readonly GpuShare[]): readonly GpuShare[] {
  const known = new Set(have.map(({ device }) => device))
  return addShares([], need).filter(({ device, vram }) => !known.has(device) || vram > vramOf(have, device))
}

function devicesIn(shares: readonly GpuShare[]): readonly string[] {
  return [...new Set(shares.map(({ device }) => device))]
}
