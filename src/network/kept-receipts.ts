import { type KeptFrame, MAX_RECEIPTS, type Receipt, type ReceiptStatus } from './kept-frames.ts'

/** Receipts that have not been sent, as few as possible. */
export interface Receipts {
  add(id: number, status: ReceiptStatus): void
  isEmpty(): boolean
  /** Takes them all out. */
  take(): readonly KeptFrame[]
}

/** Creates no receipts. */
export function createReceipts(): Receipts {
  let waiting: Receipt[] = []
  return {
    add(id, status) {
      const last = waiting.at(-1)
      if (last?.status === status && last.last === id - 1) waiting[waiting.length - 1] = { ...last, last: id }
      else waiting.push({ first: id, last: id, status })
    },
    isEmpty: () => waiting.length === 0,
    take() {
      const frames: KeptFrame[] = []
      for (let at = 0; at < waiting.length; at += MAX_RECEIPTS) {
        frames.push({ type: 'receipt', receipts: waiting.slice(at, at + MAX_RECEIPTS) })
      }
      waiting = []
      return frames
    }
  }
}
