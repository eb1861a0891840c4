import { createSerialQueue, err, ok, type Result } from '../../base/index.ts'
import type { EgressFilter } from '../egress.ts'
import { type RunProgram, runProgram } from './programs.ts'
import { egressRules, type Surroundings } from './ruleset.ts'
import { readSurroundings } from './surroundings.ts'

/** Where the machine's facts and the firewall are; those of this machine by default. */
export interface EgressFilterOptions {
  readonly run?: RunProgram
  readonly surroundings?: () => Promise<Surroundings>
}

/**
 * The filter in the kernel's netfilter, set by the program `nft`; it needs `CAP_NET_ADMIN`.
 *
 * It is set anew at each call, as the addresses of the machine change and other programs empty the firewall; calls that come
 * while one waits share its outcome. It stays when this process ends, as the jobs do.
 */
export function createEgressFilter({
  run = runProgram,
  surroundings = readSurroundings
}: EgressFilterOptions = {}): EgressFilter {
  const queue = createSerialQueue()
  let waiting: Promise<Result<true, string>> | undefined

  async function apply(): Promise<Result<true, string>> {
    waiting = undefined // who calls from now on may have seen a change that this run does not
    const { code, complaint } = await run('nft', ['-f', '-'], egressRules(await surroundings()))
    return code === 0 ? ok(true) : err(explain(complaint))
  }

  return {
    ensure() {
      waiting ??= queue.run(apply)
      return waiting
    }
  }
}

function explain(complaint: string): string {
  if (complaint.startsWith('there is no program')) return 'the program nft is missing (package nftables)'
  if (/not permitted|permission denied/i.test(complaint)) return 'setting firewall rules needs CAP_NET_ADMIN'
  return `nft refuses the rules: ${complaint}`
}
