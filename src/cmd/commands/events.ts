import {
  DmsError,
  encodeGoJson,
  hours,
  isJsonObject,
  type JsonValue,
  type Millis,
  millis,
  minutes,
  seconds
} from '../../base/index.ts'
import { ClientTimeoutError, ClientUnavailableError, type ServerEvent, type Session } from '../../client/index.ts'
import type { Action } from '../command.ts'
import { NoLongerAllowedError, RefusedReplyError } from '../errors.ts'
import type { Io } from '../io.ts'
import { note, oneLine, printLine } from '../output.ts'
import { type Style, styled } from '../screen.ts'
import { openSession } from '../sessions.ts'

/** Life of one stream; the next one goes on where it ended. Not a day: the right is looked at anew each time. */
const STREAM_LIFE = hours(1)

/** Life of the message when only what was is asked for. */
const QUESTION_LIFE = minutes(1)

/** Pauses before a node that went away is asked again: doubled from the first up to the last. */
const RETRY_FIRST = seconds(1)
const RETRY_LAST = seconds(15)

/** `nunet events`: what the node keeps, and with `--follow` what happens. */
export const events: Action = async ({ flags }, io) => {
  const watch: Watch = {
    io,
    session: await openSession(flags, io),
    isJson: flags.isOn('json'),
    after: flags.text('after') ?? '',
    count: 0
  }
  if (flags.isOn('follow')) return await follow(watch)
  await showUntilLive(watch)
}

interface Watch {
  readonly io: Io
  readonly session: Session
  readonly isJson: boolean
  /** The last event that is known. */
  after: string
  /** How many were shown. */
  count: number
}

async function showUntilLive(watch: Watch): Promise<void> {
  const stop = new AbortController()
  const ending = await show(watch, await watch.session.events(watch.after, QUESTION_LIFE, { signal: stop.signal }), {
    untilLive: true
  })
  stop.abort()
  if (ending !== 'live' && ending !== 'reader gone') throw new RefusedReplyError(`the node ended the stream: ${ending}`)
  if (watch.count === 0) await note(watch.io, 'Nothing happened')
}

/** Goes on until the process is interrupted, the reader is gone, or the node does not allow it any more. */
async function follow(watch: Watch): Promise<void> {
  let isFirst = true
  let pause: Millis = RETRY_FIRST
  for (;;) {
    try {
      const stream = await watch.session.events(watch.after, STREAM_LIFE)
      if (pause > RETRY_FIRST) await note(watch.io, 'The node is back')
      isFirst = false
      pause = RETRY_FIRST
      const ending = await show(watch, stream, { untilLive: false })
      if (ending === 'reader gone') return
      if (ending === 'not allowed any more') throw new NoLongerAllowedError('the events of the node may not be seen any more')
      if (ending !== 'expired') await watch.io.clock.sleep(RETRY_FIRST)
    } catch (error) {
      if (isFirst || !isAway(error)) throw error
      if (pause === RETRY_FIRST) await note(watch.io, 'The node is away; waiting for it')
      await watch.io.clock.sleep(pause)
      pause = millis(Math.min(pause * 2, RETRY_LAST))
    }
  }
}

/** Whether the node may come back: it stopped, restarts, or has something better to do. */
function isAway(error: unknown): boolean {
  if (error instanceof ClientUnavailableError || error instanceof ClientTimeoutError) return true
  return error instanceof DmsError && (error.kind === 'unavailable' || error.kind === 'exhausted' || isStarting(error))
}

/** The reference's words for a node that has no address yet. */
function isStarting({ message }: DmsError): boolean {
  return message.includes("hasn't yet been initialized")
}

/** Shows events; resolves with why there are no more, in the words of the node, `live` or `reader gone`. */
async function show(
  watch: Watch,
  stream: AsyncIterable<ServerEvent>,
  { untilLive }: { readonly untilLive: boolean }
): Promise<string> {
  for await (const { id, type, data } of stream) {
    if (id !== '') watch.after = id
    if (type === 'end') return textOf(data, 'reason')
    if (type === 'live' && untilLive) return type
    if (type === 'gap') await note(watch.io, 'Some events are not kept any more')
    else if (type !== 'live') await printEvent(watch, data)
    if (watch.io.stdout.isGone === true) return 'reader gone'
  }
  return 'the connection ended'
}

async function printEvent(watch: Watch, event: JsonValue): Promise<void> {
  const { io, isJson } = watch
  watch.count += 1
  if (isJson) return await printLine(io, encodeGoJson(event))
  const status = textOf(event, 'status')
  const style = STYLES[status.toLowerCase()]
  const shown = style === undefined ? oneLine(status) : styled(oneLine(status), style, io.stdout.screen)
  const words = [timeOf(textOf(event, 'at')), oneLine(textOf(event, 'type')).padEnd(10), detailOf(event), shown, reasonOf(event)]
  await printLine(io, words.filter((word) => word !== '').join('  '))
}

const STYLES: Readonly<Record<string, Style>> = {
  running: 'green',
  connected: 'green',
  available: 'green',
  failed: 'red',
  missing: 'red',
  completed: 'dim',
  disconnected: 'dim'
}

/** `2026-01-31 12:00:05`, as the node says it, in UTC. */
function timeOf(at: string): string {
  return oneLine(at)
    .replace('T', ' ')
    .replace(/\.\d+Z$|Z$/, '')
}

function detailOf(event: JsonValue): string {
  const offer = isJsonObject(event) ? event['offer'] : undefined
  if (!isJsonObject(offer)) return oneLine(textOf(event, 'subject'))
  const gibibytes = (name: string): string => `${Math.round((Number(offer[name]) / 2 ** 30) * 10) / 10} GiB`
  return `${Number(offer['cores'])} cores, ${gibibytes('memory')} of memory, ${gibibytes('disk')} of disk`
}

function reasonOf(event: JsonValue): string {
  return oneLine(textOf(event, 'reason'))
}

function textOf(event: JsonValue, name: string): string {
  const value = isJsonObject(event) ? event[name] : undefined
  return typeof value === 'string' ? value : ''
}
