import { restPlaces } from '../../config/index.ts'
import { ok, problem, valuesOf, warning, withoutConfig } from '../findings.ts'
import type { Check, Finding, ListenPlace, Subject, System } from '../types.ts'
import { type DaemonOwner, ownerOfDaemon } from './ask-daemon.ts'

/** Whether something can listen at one place. */
export interface PortFacts {
  /** `REST` or `peers`. */
  readonly purpose: string
  /** The key of the configuration that names it. */
  readonly key: string
  readonly protocol: ListenPlace['protocol']
  readonly host: string
  readonly port: number
  readonly state: 'free' | 'in use' | 'forbidden' | 'no such address'
  /** Whose daemon answers there. */
  readonly daemon: DaemonOwner
}

/** The ports of jobs. */
export interface RangeFacts {
  readonly from: number
  /** Not included. */
  readonly to: number
  /** The ports that the kernel gives to outgoing connections, both included. */
  readonly local?: readonly [first: number, last: number]
  /** Ports that the daemon itself listens on. */
  readonly own: readonly number[]
}

/** Looks whether the daemon can listen. */
export const ports: Check = {
  id: 'ports',
  title: 'Ports',
  async run(subject) {
    const config = valuesOf(subject)
    if (config === undefined) return withoutConfig('ports')
    const daemon = await ownerOfDaemon(subject, config.general.user_dir)
    const { p2p, general } = config
    const { tcp: rest } = restPlaces(config)
    const listen = p2p.listen_address.map(parseListenAddress)
    const peers = listen.flatMap((place) => (place.protocol === 'unknown' ? [] : [place]))
    const places = [
      ...(rest === undefined ? [] : [{ purpose: 'REST', key: 'rest.port', protocol: 'tcp' as const, ...rest }]),
      ...peers.map((place) => ({ purpose: 'peers', key: 'p2p.listen_address', ...place }))
    ]
    const own = [...new Set(places.map(({ port }) => port))]
    return [
      ...(await Promise.all(places.map((place) => checkPlace(subject.system, place, daemon)))),
      ...listen.flatMap(judgeAddress),
      judgeRange({
        from: general.port_available_range_from,
        to: general.port_available_range_to,
        own,
        ...(await readLocal(subject))
      })
    ]
  }
}

type ListenAddress = ListenPlace | { readonly protocol: 'unknown'; readonly text: string }

/** Reads the multiaddresses that a node listens on: TCP, WebSocket and QUIC ones. */
export function parseListenAddress(text: string): ListenAddress {
  const form = /^\/ip[46]\/([0-9a-fA-F.:]+)\/(?:(tcp)\/(\d{1,5})(?:\/ws)?|(udp)\/(\d{1,5})\/quic-v1)$/
  const [, host, tcp, tcpPort, , udpPort] = form.exec(text) ?? []
  const port = Number(tcpPort ?? udpPort)
  if (host === undefined || port > 65_535) return { protocol: 'unknown', text }
  return { protocol: tcp === undefined ? 'udp' : 'tcp', host, port }
}

async function checkPlace(
  system: System,
  place: Pick<PortFacts, 'purpose' | 'key' | keyof ListenPlace>,
  daemon: DaemonOwner
): Promise<Finding> {
  // port 0 is any free one
  const state = place.port === 0 ? 'free' : await system.tryListen(place)
  return judgePort({ ...place, state, daemon })
}

async function readLocal({ system }: Subject): Promise<Pick<RangeFacts, 'local'>> {
  const text = (await system.text('/proc/sys/net/ipv4/ip_local_port_range')) ?? ''
  const [, first, last] = /^(\d+)\s+(\d+)/.exec(text) ?? []
  return first === undefined || last === undefined ? {} : { local: [Number(first), Number(last)] }
}

/** Pure. */
export function judgePort({ purpose, key, protocol, host, port, state, daemon }: PortFacts): Finding {
  const subject = `port for ${purpose}`
  const udp = protocol === 'udp' ? 'UDP ' : ''
  const place = `${udp}${host.includes(':') ? `[${host}]` : host}:${port}`
  switch (state) {
    case 'free':
      return ok(subject, port === 0 ? 'any free one' : `${place} is free`)
    case 'in use':
      if (daemon === 'ours') return ok(subject, `${place} is used by the running daemon`)
      return problem(subject, `${place} is used by another ${daemon === 'none' ? 'program' : 'program or DMS'}`, {
        advice: `Find it, or set ${key} to another port:`,
        command: `ss -l${protocol === 'udp' ? 'u' : 't'}np 'sport = :${port}'`,
        kind: 'conflict'
      })
    case 'forbidden':
      return problem(subject, `${place} may not be used by this user`, {
        advice: `Ports below 1024 belong to root: set ${key} to a higher one.`,
        kind: 'forbidden'
      })
    case 'no such address':
      return problem(subject, `${place} is no address of this machine`, { advice: `Change ${addressKey(key)}.`, kind: 'invalid' })
  }
}

function addressKey(key: string): string {
  return key === 'rest.port' ? 'rest.addr' : key
}

function judgeAddress(address: ListenAddress): readonly Finding[] {
  if (address.protocol !== 'unknown') return []
  return [
    problem('port for peers', `${JSON.stringify(address.text.slice(0, 100))} is no address to listen on`, {
      advice: 'Write p2p.listen_address as /ip4/0.0.0.0/tcp/9000 or /ip4/0.0.0.0/udp/9000/quic-v1.',
      kind: 'invalid'
    })
  ]
}

/** Pure. */
export function judgeRange({ from, to, local, own }: RangeFacts): Finding {
  const subject = 'ports for jobs'
  const shown = `${from}–${to - 1}`
  const inside = own.filter((port) => port >= from && port < to)
  if (inside.length > 0) {
    return warning(subject, `${shown} includes ${inside.join(', ')}, which the daemon itself uses`, {
      advice: 'Set general.port_available_range_from above it.'
    })
  }
  if (local === undefined || local[0] >= to || local[1] < from) return ok(subject, shown)
  const isWithin = from >= local[0] && to - 1 <= local[1]
  if (!isWithin) return ok(subject, `${shown}; the kernel takes ${local[0]}–${local[1]} for outgoing connections too`)
  return warning(subject, `${shown} lies within ${local[0]}–${local[1]}, which the kernel takes for outgoing connections`, {
    advice: 'A port may be taken when a job wants it: choose a range outside.',
    command: `nunet config set general.port_available_range_from 16384`
  })
}
