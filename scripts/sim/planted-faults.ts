/** One fault in the program, as a replacement of one piece of one file. */
export interface PlantedFault {
  readonly name: string
  /** The invariant that it breaks. */
  readonly invariant: string
  readonly file: string
  readonly from: string
  readonly to: string
}

/** Faults of the kinds that the simulator must find. */
export const PLANTED_FAULTS: readonly PlantedFault[] = [
  {
    name: 'a missing capability check',
    invariant: 'capability',
    file: 'src/ucan/authorize.ts',
    from: '  const ground = groundOf(token, trust)\n',
    to: "  const ground = groundOf(token, trust) === 'none' ? 'none' : 'full'\n"
  },
  {
    name: 'a lost release of resources',
    invariant: 'resources',
    file: 'src/dms/allocation/manager.ts',
    from: `    await ledger.release(record.id)
    await output.remove(output.directory(record.id))`,
    to: '    await output.remove(output.directory(record.id))'
  },
  {
    name: 'a state write after its effect',
    invariant: 'durability',
    file: 'src/dms/allocation/runner.ts',
    from: `        const changed = { ...record, state: next }
        await options.save(changed)
        record = changed
        for (const notify of watchers.splice(0)) notify()
        log.info('allocation', { event: event.type, phase: next.phase })
      }
      for (const effect of effects) supervise(effect)`,
    to: `        const changed = { ...record, state: next }
        record = changed
        for (const effect of effects) supervise(effect)
        await options.save(changed)
        for (const notify of watchers.splice(0)) notify()
        log.info('allocation', { event: event.type, phase: next.phase })
        return
      }
      for (const effect of effects) supervise(effect)`
  }
]
