import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { JOB_INTERFACE_PREFIX } from '../egress.ts'
import type { Surroundings } from './ruleset.ts'

/** In this order: where systemd-resolved answers on loopback, the second file names the servers that it asks. */
const RESOLVER_FILES: readonly string[] = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']
/** The C library asks no more. */
const MOST_RESOLVERS = 3

/** What this machine is connected to now. */
export async function readSurroundings(): Promise<Surroundings> {
  const texts = await Promise.all(RESOLVER_FILES.map((path) => readFile(path, 'utf8').catch(() => '')))
  return { neighbourhoods: neighbourhoods(networkInterfaces()), resolvers: texts.flatMap(parseResolvers) }
}

/** Networks of the interfaces of this machine, in the form of {@link Surroundings}; those of jobs are left out. */
export function neighbourhoods(interfaces: ReturnType<typeof networkInterfaces>): readonly string[] {
  const networks = Object.entries(interfaces)
    .filter(([name]) => !name.startsWith(JOB_INTERFACE_PREFIX))
    .flatMap(([, addresses = []]) => addresses.map(({ cidr }) => cidr?.replace(/%[^/]*/, '') ?? ''))
  return [...new Set(networks)].filter((network) => network !== '').sort()
}

/** The servers in a `resolv.conf`, without those on loopback: a job has a loopback of its own. */
export function parseResolvers(text: string): readonly string[] {
  const addresses = text.split('\n').map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
  return addresses.filter((address) => isIP(address) !== 0 && !/^(127\.|::1$)/.test(address)).slice(0, MOST_RESOLVERS)
}
