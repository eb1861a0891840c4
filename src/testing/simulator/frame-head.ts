import { isJsonObject, parseJson } from '../../base/index.ts'

/** What an envelope says of itself before its payload, unchecked. */
export interface FrameHead {
  readonly behavior: string
  /** Actor ids in base32, `''` for broadcasts. */
  readonly to: string
  readonly toInbox: string
  readonly from: string
  readonly fromHost: string
  readonly fromInbox: string
  readonly replyTo: string
  readonly topic: string
}

/** Where the payload of an envelope begins, in the order of members that all nodes write. */
const PAYLOAD = Buffer.from(',"msg":')

/** The head of a frame as honest nodes write it; undefined for anything else. Cheap: the payload is not read. */
export function readFrameHead(frame: Uint8Array): FrameHead | undefined {
  const buffer = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
  const end = buffer.indexOf(PAYLOAD)
  if (end < 0) return undefined
  const json = parseJson(`${buffer.toString('utf8', 0, end)}}`)
  if (!json.ok || !isJsonObject(json.value)) return undefined
  const { to, from, be: behavior, opt: options } = json.value
  const replyTo = text(options, 'cont')
  const topic = text(options, 'topic')
  if (typeof behavior !== 'string') return undefined
  return {
    behavior,
    to: text(member(to, 'id'), 'pub'),
    toInbox: text(member(to, 'addr'), 'inbox'),
    from: text(member(from, 'id'), 'pub'),
    fromHost: text(member(from, 'addr'), 'host'),
    fromInbox: text(member(from, 'addr'), 'inbox'),
    replyTo,
    topic
  }
}

function member(value: unknown, name: string): unknown {
  return isJsonObject(value) ? value[name] : undefined
}

function text(value: unknown, name: string): string {
  const found = member(value, name)
  return typeof found === 'string' ? found : ''
}
