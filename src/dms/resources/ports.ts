import { createSerialQueue, err, ok, type Result } from '../../base/index.ts'
import { NoPortError } from './errors.ts'

/** A port of this machine that leads to one of a workload. */
export interface PortLease {
  readonly public: number
  readonly private: number
}

/** Ports that somebody wants. */
export interface PortNeed {
  /** Public ports by number. */
  readonly static: readonly number[]
  /** How many more, of which the machine chooses the numbers. */
  readonly dynamic: number
}

/** Ports of one allocation: some by number, and private ports for which the machine chooses public ones. */
export interface PortRequest {
  readonly static: readonly PortLease[]
  readonly dynamic: readonly number[]
}

/** What the operating system says of a port. */
export interface PortProbe {
  /** Whether no program uses it, neither by TCP nor by UDP. */
  isFree(port: number): Promise<boolean>
}

/** The ports that an owner lends: from `from` up to but without `to`. */
export interface PortRange {
  readonly from: number
  readonly to: number
}

/** Chooses and checks public ports (C §4.4). */
export interface Ports {
  /** Whether ports can be had now; the error says which cannot and why. `taken` are promised to others. */
  check(need: PortNeed, taken: ReadonlySet<number>): Promise<Result<true, string>>
  /**
   * Chooses the ports of one allocation and hands them to `reserve`, which promises them; one allocation after the other, so that none
   * chooses what is just being promised. Errors: `RESOURCES_NO_PORT`, and what `reserve` throws.
   */
  assign(
    request: PortRequest,
    taken: () => ReadonlySet<number>,
    reserve: (leases: readonly PortLease[]) => Promise<void>
  ): Promise<void>
}

/** Most ports of one machine of an ensemble. */
const MOST_PORTS = 64

/** Numbers tried at most for dynamic ports, so that a machine full of other programs delays nobody for long. */
const MOST_TRIES = 1024

/** Creates the choice of ports within a range. */
export function createPorts({ range, probe }: { readonly range: PortRange; readonly probe: PortProbe }): Ports {
  const turns = createSerialQueue()

  async function problemOf(port: number, taken: ReadonlySet<number>): Promise<string | undefined> {
    if (!Number.isInteger(port) || port < range.from || port >= range.to) {
      return `port ${port} is not lent: ports are from ${range.from} to ${range.to - 1}`
    }
    if (taken.has(port)) return `ports are already allocated: ${port}`
    return (await probe.isFree(port)) ? undefined : `port ${port} is in use by another program`
  }

  /** The lowest free ports of the range. */
  async function choose(count: number, taken: ReadonlySet<number>): Promise<readonly number[]> {
    const chosen: number[] = []
    let tries = MOST_TRIES
    for (let port = range.from; port < range.to && chosen.length < count && tries > 0; port += 1) {
      if (taken.has(port)) continue
      tries -= 1
      if (await probe.isFree(port)) chosen.push(port)
    }
    return chosen
  }

  async function find(need: PortNeed, taken: ReadonlySet<number>): Promise<Result<readonly number[], string>> {
    if (need.static.length + need.dynamic > MOST_PORTS || need.dynamic < 0)
      return err(`at most ${MOST_PORTS} ports are had at once`)
    if (new Set(need.static).size < need.static.length) return err('a port is asked for twice')
    for (const port of need.static) {
      const problem = await problemOf(port, taken)
      if (problem !== undefined) return err(problem)
    }
    const chosen = await choose(need.dynamic, new Set([...taken, ...need.static]))
    return chosen.length < need.dynamic ? err('dynamic ports not available') : ok(chosen)
  }

  return {
    async check(need, taken) {
      const found = await find(need, taken)
      return found.ok ? ok(true) : found
    },
    assign: (request, taken, reserve) =>
      turns.run(async () => {
        const { static: named, dynamic } = request
        const need = { static: named.map((lease) => lease.public), dynamic: dynamic.length }
        const found = await find(need, taken())
        if (!found.ok) throw new NoPortError(found.error)
        const chosen = dynamic.flatMap((inside, index): PortLease[] => {
          const outside = found.value[index]
          return outside === undefined ? [] : [{ public: outside, private: inside }]
        })
        await reserve([...named, ...chosen])
      })
  }
}
