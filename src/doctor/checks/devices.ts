import { ok, warning } from '../findings.ts'
import type { Check, Finding, System } from '../types.ts'

/** What networks of jobs and microVMs need. */
export interface DeviceFacts {
  readonly uid: number
  readonly hasTun: boolean
  readonly mayUseTun: boolean
  /** Whether this process has CAP_NET_ADMIN. */
  readonly hasNetAdmin: boolean
  readonly hasIp: boolean
  readonly hasNft: boolean
  /** First line of `iptables --version`; missing when there is no such program. */
  readonly iptables?: string
  readonly hasKvm: boolean
  readonly mayUseKvm: boolean
  readonly userNamespaces: 'allowed' | 'forbidden' | 'restricted by AppArmor'
}

const NET_ADMIN_BIT = 12n

/** Looks at devices and rights of the kernel. */
export const devices: Check = {
  id: 'devices',
  title: 'Devices and rights',
  run: async ({ system }) => judgeDevices(await readDevices(system))
}

async function readDevices(system: System): Promise<DeviceFacts> {
  const [ip, iptables, nft] = await Promise.all([
    system.run('ip', ['-V']),
    system.run('iptables', ['--version']),
    system.run('nft', ['--version'])
  ])
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec((await system.text('/proc/self/status')) ?? '')?.[1] ?? '0'
  return {
    uid: system.process.uid,
    hasTun: (await system.status('/dev/net/tun')) !== undefined,
    mayUseTun: await system.mayReadAndWrite('/dev/net/tun'),
    hasNetAdmin: ((BigInt(`0x${effective}`) >> NET_ADMIN_BIT) & 1n) === 1n,
    hasIp: ip !== undefined,
    hasNft: nft !== undefined,
    ...(iptables === undefined ? {} : { iptables: iptables.stdout.split('\n')[0] ?? '' }),
    hasKvm: (await system.status('/dev/kvm')) !== undefined,
    mayUseKvm: await system.mayReadAndWrite('/dev/kvm'),
    userNamespaces: await readUserNamespaces(system)
  }
}

async function readUserNamespaces(system: System): Promise<DeviceFacts['userNamespaces']> {
  const limit = (await system.text('/proc/sys/user/max_user_namespaces'))?.trim()
  const unprivileged = (await system.text('/proc/sys/kernel/unprivileged_userns_clone'))?.trim()
  if (limit === '0' || unprivileged === '0') return 'forbidden'
  const restricted = (await system.text('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'))?.trim()
  return restricted === '1' ? 'restricted by AppArmor' : 'allowed'
}

/** Pure. All of it serves features that a node can do without, so nothing is worse than a warning. */
export function judgeDevices(facts: DeviceFacts): readonly Finding[] {
  return [judgeTun(facts), ...judgeTools(facts), judgeKvm(facts), judgeUserNamespaces(facts.userNamespaces)]
}

function judgeTun({ hasTun, mayUseTun, hasNetAdmin }: DeviceFacts): Finding {
  const purpose = 'Private networks between jobs (subnets) need it.'
  if (!hasTun) {
    return warning('TUN', '/dev/net/tun is missing', { advice: `${purpose} Load it:`, command: 'sudo modprobe tun' })
  }
  if (!mayUseTun) {
    return warning('TUN', '/dev/net/tun may not be opened by this user', {
      advice: purpose,
      command: 'sudo chmod 0666 /dev/net/tun'
    })
  }
  if (hasNetAdmin) return ok('TUN', '/dev/net/tun, with CAP_NET_ADMIN')
  return warning('TUN', '/dev/net/tun, but this process lacks CAP_NET_ADMIN', {
    advice: `${purpose} For the service, put AmbientCapabilities=CAP_NET_ADMIN into its systemd unit; a shell need not have it.`
  })
}

function judgeTools({ hasIp, hasNft, hasNetAdmin, iptables }: DeviceFacts): readonly Finding[] {
  return [
    hasIp
      ? ok('ip', 'installed')
      : warning('ip', 'not installed', { advice: 'Subnets need it:', command: 'sudo apt install iproute2' }),
    iptables === undefined
      ? warning('iptables', 'not installed', { advice: 'Subnets and Docker need it:', command: 'sudo apt install iptables' })
      : judgeIptables(iptables),
    judgeNft(hasNft, hasNetAdmin)
  ]
}

/** Jobs that nothing keeps from the networks of this machine get no network at all. */
function judgeNft(hasNft: boolean, hasNetAdmin: boolean): Finding {
  const purpose = 'Containers have no network without a filter that keeps them from the networks of this machine.'
  if (!hasNft) {
    return warning('nft', 'not installed', { advice: `${purpose} Install it:`, command: 'sudo apt install nftables' })
  }
  if (hasNetAdmin) return ok('nft', 'installed, with CAP_NET_ADMIN')
  return warning('nft', 'installed, but this process lacks CAP_NET_ADMIN', {
    advice: `${purpose} The service of the package has the capability; where you trust all jobs, set job.egress to all.`
  })
}

function judgeIptables(version: string): Finding {
  if (version.includes('legacy')) {
    return warning('iptables', `${version}: rules of Docker and of this program may not see each other`, {
      advice: 'Use the nftables variant:',
      command: 'sudo update-alternatives --set iptables /usr/sbin/iptables-nft'
    })
  }
  return ok('iptables', version === '' ? 'installed' : version)
}

function judgeKvm({ hasKvm, mayUseKvm }: DeviceFacts): Finding {
  if (!hasKvm) return ok('KVM', 'no /dev/kvm: no microVMs here; Docker and WebAssembly do not need it')
  if (mayUseKvm) return ok('KVM', '/dev/kvm may be used')
  return warning('KVM', '/dev/kvm may not be opened by this user', {
    advice: 'MicroVMs need it. Add the user that runs the daemon to the group kvm and log in again.',
    command: 'sudo usermod -aG kvm "$USER"'
  })
}

function judgeUserNamespaces(state: DeviceFacts['userNamespaces']): Finding {
  if (state === 'allowed') return ok('user namespaces', 'allowed')
  if (state === 'forbidden') {
    return warning('user namespaces', 'forbidden', {
      advice: 'Sandboxes without root need them.',
      command: 'sudo sysctl -w user.max_user_namespaces=15000'
    })
  }
  return ok('user namespaces', 'restricted by AppArmor: only programs with a profile get them')
}
