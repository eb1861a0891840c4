import { hello, publicStatus } from '../../src/protocol/index.ts'
import { loadDms } from './dms.ts'
import { createLink } from './link.ts'
import { startMessageNode, WAYS, type Way } from './message-nodes.ts'

/** What the process of the receiver says. */
export type PeerSays =
  | { readonly type: 'ready'; readonly addresses: Readonly<Record<Way, string>> }
  /** Messages that it has seen since it last said so. */
  | { readonly type: 'seen'; readonly count: number }
  /** When it is asked. */
  | { readonly type: 'cpu'; readonly usage: NodeJS.CpuUsage }

/** How many messages are reported together. */
export const REPORTED_TOGETHER = 32

/** The receiver, in a process of its own: a node for each way; ends with the process that started it. */
async function main(seed: Uint8Array): Promise<void> {
  const dms = await loadDms()
  const { receiver } = await createLink(dms, seed)
  const say = (message: PeerSays): void => void process.send?.(message)
  const nodes = await Promise.all(
    WAYS.map(async (way) => {
      const node = await startMessageNode(dms, receiver, { way })
      let unreported = 0
      node.root.on(publicStatus, async () => {
        unreported += 1
        if (unreported >= REPORTED_TOGETHER) {
          say({ type: 'seen', count: unreported })
          unreported = 0
        }
        return dms.actor.SILENCE
      })
      node.root.on(hello, async () => ({ did: { uri: receiver.key.did } }))
      return [way, node.host.addresses()[0] ?? ''] as const
    })
  )
  process.on('message', () => say({ type: 'cpu', usage: process.cpuUsage() }))
  process.once('disconnect', () => process.exit(0))
  say({ type: 'ready', addresses: Object.fromEntries(nodes) as Record<Way, string> })
}

await main(Buffer.from(process.argv[2] ?? '', 'hex'))
