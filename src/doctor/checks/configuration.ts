import { ineffectiveKeys } from '../../config/index.ts'
import { publicKeyOfPeerId } from '../../identity/index.ts'
import { isTrouble, ok, problem, skipped, warning } from '../findings.ts'
import type { Check, Finding, Subject } from '../types.ts'

/** Looks at the operator's file. */
export const configuration: Check = {
  id: 'configuration',
  title: 'Configuration',
  run: async ({ config }) => judgeConfiguration(config)
}

/** Pure. */
export function judgeConfiguration(config: Subject['config']): readonly Finding[] {
  if (isTrouble(config)) {
    return [problem('file', config.message, { advice: 'Mend it:', command: 'nunet config edit', kind: config.kind })]
  }
  const idle = ineffectiveKeys(config)
  return [
    config.path === undefined ? ok('file', 'none found: the defaults are used') : ok('file', config.path),
    ...config.warnings.map((text) => warning('file', text, { advice: 'Both forms work; newer versions write the new one.' })),
    ...(idle.length === 0 ? [] : [skipped('keys', `not used by this version: ${idle.join(', ')}`)]),
    judgePeers(config.config.p2p.bootstrap_peers)
  ]
}

/** Addresses are not resolved: that needs the network, and the daemon tries again by itself. */
function judgePeers(peers: readonly string[]): Finding {
  const bad = peers.filter((peer) => !isPeerAddress(peer))
  const advice = 'Write each as /dns4/host/tcp/9000/p2p/<peer id>.'
  if (bad.length > 0) {
    const shown = bad.map((peer) => JSON.stringify(peer.slice(0, 100))).join(', ')
    return problem('bootstrap peers', `not the address of a peer: ${shown}`, { advice, kind: 'invalid' })
  }
  if (peers.length > 0) return ok('bootstrap peers', String(peers.length))
  return warning('bootstrap peers', 'none: this node meets others only when they connect, or by /dms/node/peers/connect', {
    advice: `${advice} For NuNet's network, remove the key: its peers are the default.`
  })
}

function isPeerAddress(text: string): boolean {
  const [, id] = /^\/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^/\s]+(?:\/[^/\s]+)*\/p2p\/([^/\s]+)$/.exec(text) ?? []
  // ids of RSA keys are hashes: only their form can be checked
  return id !== undefined && (/^Qm[1-9A-HJ-NP-Za-km-z]{44}$/.test(id) || publicKeyOfPeerId(id).ok)
}
