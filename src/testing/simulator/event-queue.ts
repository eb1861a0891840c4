/** Something that will happen at an instant of virtual time. */
export interface ScheduledEvent {
  /** Milliseconds of virtual time. */
  readonly at: number
  /** Later than all that were added before for the same instant. */
  readonly order: number
  readonly run: () => void
  isCancelled: boolean
}

/** What will happen, by time and then by order of arrival. */
export interface EventQueue {
  add(at: number, run: () => void): ScheduledEvent
  /** Takes an event out; one that is gone already is ignored. */
  cancel(event: ScheduledEvent): void
  /** Removes and returns the first event. */
  take(): ScheduledEvent | undefined
  /** When the first event happens. */
  nextAt(): number | undefined
  readonly size: number
}

/** Cancelled events stay where they are until there are so many, and more than of the others. */
const COMPACT_FROM = 1024

/** Creates an empty queue: a binary heap, so adding and taking cost the logarithm of its size. */
export function createEventQueue(): EventQueue {
  let heap: ScheduledEvent[] = []
  let cancelled = 0
  let order = 0

  function siftUp(from: number): void {
    let index = from
    const event = heap[index] as ScheduledEvent
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent] as ScheduledEvent
      if (isBefore(above, event)) break
      heap[index] = above
      index = parent
    }
    heap[index] = event
  }

  function siftDown(from: number): void {
    let index = from
    const event = heap[index] as ScheduledEvent
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as ScheduledEvent, heap[child] as ScheduledEvent)) child += 1
      const below = heap[child] as ScheduledEvent
      if (isBefore(event, below)) break
      heap[index] = below
      index = child
    }
    heap[index] = event
  }

  function compact(): void {
    heap = heap.filter(({ isCancelled }) => !isCancelled)
    cancelled = 0
    for (let index = (heap.length >> 1) - 1; index >= 0; index -= 1) siftDown(index)
  }

  function takeAny(): ScheduledEvent | undefined {
    const [first] = heap
    const last = heap.pop()
    if (heap.length > 0 && last !== undefined) {
      heap[0] = last
      siftDown(0)
    }
    return first
  }

  function dropCancelled(): void {
    while (heap[0]?.isCancelled === true) {
      takeAny()
      cancelled -= 1
    }
  }

  return {
    add(at, run) {
      order += 1
      const event = { at, order, run, isCancelled: false }
      heap.push(event)
      siftUp(heap.length - 1)
      return event
    },
    cancel(event) {
      if (event.isCancelled) return
      event.isCancelled = true
      cancelled += 1
      if (cancelled > COMPACT_FROM && cancelled * 2 > heap.length) compact()
    },
    take() {
      dropCancelled()
      const event = takeAny()
      if (event !== undefined) event.isCancelled = true // cancelling it from now on changes nothing
      return event
    },
    nextAt() {
      dropCancelled()
      return heap[0]?.at
    },
    get size() {
      return heap.length - cancelled
    }
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
