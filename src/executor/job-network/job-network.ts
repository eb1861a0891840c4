import { readFile } from 'node:fs/promises'
import { createSerialQueue, err, errorMessage, ok } from '../../base/index.ts'
import type { EgressFilter, JobNetwork } from '../egress.ts'
import { createAddresses } from './addresses.ts'
import { type RunProgram, runProgram } from './programs.ts'
import { readSurroundings } from './surroundings.ts'

/** Options of {@link createJobNetwork}. */
export interface JobNetworkOptions {
  /** The peer id: nodes of one machine do not give each other's addresses back. */
  readonly nodeId: string
  readonly filter: EgressFilter
  readonly run?: RunProgram
  /** Where it is written who has which addresses. */
  readonly directory?: string
  /** What the kernel says of forwarding: `1` where it forwards. */
  readonly forwarding?: () => Promise<string>
}

/** Asked where this machine has only servers of its own loopback, which jobs do not reach. */
const PUBLIC_RESOLVERS: readonly string[] = ['1.1.1.1', '9.9.9.9']

/** Rules that let jobs through where Docker has made the kernel drop what it does not know. */
const FORWARDING_RULES: readonly (readonly string[])[] = [
  ['-i', 'nunetj+', '-j', 'ACCEPT'],
  ['-o', 'nunetj+', '-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', '-j', 'ACCEPT']
]

/** The {@link JobNetwork} of this machine; its kernel must forward packets, which Docker turns on and else the owner. */
export function createJobNetwork({
  nodeId,
  filter,
  run = runProgram,
  directory = '/run/nunet/addresses',
  forwarding = () => readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')
}: JobNetworkOptions): JobNetwork {
  const addresses = createAddresses(directory)
  const turns = createSerialQueue()
  const ownerOf = (workloadId: string): string => `${nodeId}\n${workloadId}`

  /** Ours come before those of Docker, in the chain that it leaves to others; without Docker nothing drops them. */
  async function passDocker(): Promise<void> {
    for (const rule of FORWARDING_RULES) {
      const { code } = await run('iptables', ['-w', '5', '-C', 'DOCKER-USER', ...rule])
      if (code === 1) await run('iptables', ['-w', '5', '-I', 'DOCKER-USER', ...rule])
    }
  }

  return {
    lease: (workloadId, options) =>
      turns.run(async () => {
        const isForwarding = (await forwarding().catch(() => '')).trim() === '1'
        if (!isForwarding) return err('the kernel forwards no packets: sysctl -w net.ipv4.ip_forward=1')
        const filtered = await filter.ensure(options)
        if (!filtered.ok) return filtered
        await passDocker()
        try {
          const address = await addresses.take(ownerOf(workloadId))
          return address === undefined ? err('all addresses are in use') : ok(address)
        } catch (error) {
          return err(`addresses cannot be kept: ${errorMessage(error)}`)
        }
      }),
    release: (workloadId) => turns.run(() => addresses.give(ownerOf(workloadId))),
    async resolvers() {
      const { resolvers } = await readSurroundings()
      const own = [...new Set(resolvers)].slice(0, 3)
      return own.length > 0 ? own : PUBLIC_RESOLVERS
    }
  }
}
