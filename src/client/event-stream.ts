import { type JsonValue, parseJson } from '../base/index.ts'
import { BadReplyError } from './errors.ts'

/** One message of a stream of server-sent events. */
export interface ServerEvent {
  /** To go on after it; empty when it has none. */
  readonly id: string
  /** `peer`, `deployment`, `allocation`, `executor`, `offer`; `live` once all old events are told; `gap` when some are lost; `end`. */
  readonly type: string
  readonly data: JsonValue
}

/** Longest message, in characters; one that does not end before is not read on. */
const MAX_MESSAGE = 262_144

/**
 * Reads server-sent events as the node writes them: `id`, `event` and one line of JSON as `data`, then an empty line.
 *
 * @throws BadReplyError for a message that is too long or whose data is not JSON.
 */
export async function* parseEventStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true })
    const messages = text.split('\n\n')
    text = messages.pop() ?? ''
    if (text.length > MAX_MESSAGE) throw new BadReplyError(`an event of the node has more than ${MAX_MESSAGE} characters`)
    for (const message of messages) {
      const event = parseMessage(message)
      if (event !== undefined) yield event
    }
  }
}

/** A message without data is a sign of life. */
function parseMessage(message: string): ServerEvent | undefined {
  const fields = new Map(
    message.split('\n').map((line): readonly [string, string] => {
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
      return [name, value]
    })
  )
  const source = fields.get('data')
  if (source === undefined) return undefined
  const data = parseJson(source)
  if (!data.ok) throw new BadReplyError(`an event of the node is not JSON: ${data.error.message}`)
  return { id: fields.get('id') ?? '', type: fields.get('event') ?? 'message', data: data.value }
}
