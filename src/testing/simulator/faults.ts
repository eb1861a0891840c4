/** What can go wrong in a simulated world; each can be chosen alone. */
export const FAULTS = {
  delay: 'frames that take seconds',
  loss: 'frames that never arrive, with and without the sender being told',
  duplication: 'frames that arrive twice',
  reordering: 'frames that overtake each other',
  partition: 'nodes cut off from each other for a while, also in one direction only',
  crash: 'processes that die at a write: before it, or after it and before its effect',
  kill: 'processes that die at any moment',
  reboot: 'machines that restart and lose what runs on them',
  skew: 'clocks that are wrong, drift, and are set',
  full: 'disks that take no writes for a while',
  slow: 'disks that take long for each write',
  executor: 'executors that are slow, fail, or are away for a while',
  gone: 'nodes that leave for good in the middle of it all',
  hostile: 'peers that send mutated, cut and repeated envelopes, and ones of their own'
} as const

/** The name of a fault. */
export type Fault = keyof typeof FAULTS

/** The faults of a run. */
export type Faults = ReadonlySet<Fault>

/** Reads `all`, `none`, or names with commas between them; a name with `-` before it is left out of `all`. */
export function parseFaults(text: string): Faults {
  if (text === 'none') return new Set()
  const names = text.split(',').map((name) => name.trim())
  const chosen = new Set<Fault>()
  for (const name of names) {
    if (name === 'all') for (const fault of faultNames()) chosen.add(fault)
    else if (name.startsWith('-') && isFault(name.slice(1))) chosen.delete(name.slice(1) as Fault)
    else if (isFault(name)) chosen.add(name)
    else throw new Error(`there is no fault ${JSON.stringify(name)}; there are all, none, ${faultNames().join(', ')}`)
  }
  return chosen
}

/** All names, in order. */
export function faultNames(): readonly Fault[] {
  return Object.keys(FAULTS) as Fault[]
}

function isFault(name: string): name is Fault {
  return Object.hasOwn(FAULTS, name)
}
