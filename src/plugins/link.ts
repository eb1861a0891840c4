import { setMaxListeners } from 'node:events'
import { Worker } from 'node:worker_threads'
import {
  type AbortOptions,
  CancelledError,
  type Clock,
  type JsonValue,
  type Logger,
  type Millis,
  seconds,
  setAlarm
} from '../base/index.ts'
import type { ExecutorFeatures, StartProgress } from '../executor/index.ts'
import { PLUGIN_API_VERSION } from './author.ts'
import { PluginFailedError, PluginRefusedError } from './errors.ts'
import type { LocatedPlugin } from './locate.ts'
import { checkVersion } from './manifest.ts'
import { type RemoteFailure, toLocalError } from './remote-errors.ts'

/** A plugin that runs, seen from the daemon. */
export interface PluginLink {
  readonly features: ReadonlyMap<string, ExecutorFeatures>
  /** Why it does not run any more; `undefined` while it does. */
  ended(): string | undefined
  call(call: PluginCall): Promise<unknown>
  /** The pieces of an iterable that the method returns, asked for one by one. */
  iterate(call: PluginCall): AsyncGenerator<unknown>
  close(): Promise<void>
}

/** One call of a method of an executor of the plugin. */
export interface PluginCall extends AbortOptions {
  readonly kind: string
  readonly method: string
  readonly args: readonly unknown[]
  /** Cloneable options; with them the method gets a signal and `onProgress`. */
  readonly options?: Readonly<Record<string, unknown>>
  readonly onProgress?: (progress: StartProgress) => void
  /** After this long the call fails, and a plugin that does not even answer a ping is ended. */
  readonly limit?: Millis
}

/** What a link is made with. */
export interface LinkOptions extends AbortOptions {
  readonly plugin: LocatedPlugin
  /** For what the plugin remembers; exists. */
  readonly directory: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly log: Logger
  /** How long it may take until it has registered. Default: ten seconds. */
  readonly loadLimit?: Millis
}

const LOAD_LIMIT = seconds(10)
const PING_LIMIT = seconds(5)
/** How long a plugin may take to give up a call that nobody waits for any more. */
const ABORT_GRACE = seconds(1)
/** For its JavaScript; a plugin that needs more starts a process. */
const HEAP_MIB = 256
const SECRET = /^DMS_|PASSPHRASE/

/** What a worker sends; the shapes of host.mjs. */
type FromPlugin =
  | { readonly type: 'registered'; readonly executors: readonly { readonly kind: string; readonly features: unknown }[] }
  | { readonly type: 'refused'; readonly message: string; readonly version?: JsonValue }
  | { readonly type: 'result'; readonly id: number; readonly value: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: RemoteFailure }
  | { readonly type: 'progress'; readonly id: number; readonly progress: StartProgress }
  | { readonly type: 'log'; readonly level: string; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }

type Answer = Extract<FromPlugin, { readonly id: number }>

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly onProgress?: ((progress: StartProgress) => void) | undefined
}

/**
 * Loads a plugin in a thread of its own and resolves once it has registered.
 *
 * @throws PluginRefusedError when it throws, ends, is of another version or takes too long.
 */
export async function openLink(options: LinkOptions): Promise<PluginLink> {
  const { plugin, clock } = options
  const channel = createChannel(plugin.manifest.name, startWorker(options), options)
  const features = await registered(channel, clock, options.loadLimit ?? LOAD_LIMIT)
  let nextId = 1
  return {
    features,
    ended: channel.ended,
    call({ kind, method, args, options: given, ...asking }) {
      const id = nextId++
      return channel.ask(id, { type: 'call', id, kind, method, args, options: given }, { ...asking, method })
    },
    async *iterate({ kind, method, args, options: given = {}, ...asking }) {
      const id = nextId++
      channel.post({ type: 'call', id, kind, method, args, options: given })
      let isDone = false
      try {
        for (;;) {
          const answer = (await channel.ask(id, { type: 'next', id }, { ...asking, method })) as { done: boolean; value: unknown }
          isDone = answer.done
          if (isDone) return
          yield answer.value
        }
      } finally {
        if (!isDone && channel.ended() === undefined) channel.post({ type: 'return', id })
      }
    },
    close: () => channel.close('it was stopped')
  }
}

async function registered(channel: Channel, clock: Clock, limit: Millis): Promise<ReadonlyMap<string, ExecutorFeatures>> {
  const endAlarm = setAlarm(clock, limit, () => void channel.close(`it did not register within ${limit} ms`))
  try {
    return await channel.registration
  } finally {
    endAlarm()
  }
}

/** The port to a thread, with the calls that wait for an answer. */
interface Channel {
  /** What its executors can do. Errors: PluginRefusedError when it ends before that is known. */
  readonly registration: Promise<ReadonlyMap<string, ExecutorFeatures>>
  ended(): string | undefined
  post(message: object): void
  /** Sends a message whose answer bears its id. */
  ask(id: number, message: object, asking: Asking): Promise<unknown>
  /** Ends the thread and refuses everything that waits or comes. */
  close(why: string): Promise<void>
}

const PING_ID = 0

function createChannel(name: string, worker: Worker, { clock, log }: Pick<LinkOptions, 'clock' | 'log'>): Channel {
  const pending = new Map<number, Pending>()
  const registration = deferred<ReadonlyMap<string, ExecutorFeatures>>()
  let reason: string | undefined

  function end(why: string): void {
    if (reason !== undefined) return
    reason = why
    registration.reject(new PluginRefusedError(why))
    for (const { reject } of pending.values()) reject(new PluginFailedError(`plugin ${name}: ${why}`))
    pending.clear()
    worker.terminate().catch(() => undefined) // it is gone already
  }

  listen(worker, {
    onRegistered: (features) => registration.resolve(features),
    onAnswer: (message) => settle(name, pending.get(message.id), message),
    onEnd: end,
    log
  })

  function post(message: object): void {
    try {
      worker.postMessage(message)
    } catch (error) {
      throw new PluginFailedError(`plugin ${name}: what it was to get cannot be sent`, { cause: error })
    }
  }

  function ask(id: number, message: object, { signal, onProgress, limit, method }: Asking): Promise<unknown> {
    if (reason !== undefined) return Promise.reject(new PluginFailedError(`plugin ${name}: ${reason}`))
    if (signal?.aborted === true) return Promise.reject(new CancelledError(`${method} was cancelled`))
    const { promise, resolve, reject } = deferred<unknown>()
    pending.set(id, { resolve, reject, onProgress })
    let endAlarm = limit === undefined ? undefined : setAlarm(clock, limit, () => giveUp(limit))
    function giveUp(after: Millis): void {
      reject(new PluginFailedError(`plugin ${name} did not answer ${method} within ${after} ms`))
      if (id !== PING_ID) checkLife()
    }
    function onAbort(): void {
      post({ type: 'abort', id })
      endAlarm?.()
      endAlarm = setAlarm(clock, ABORT_GRACE, () => reject(new CancelledError(`${method} was cancelled`)))
    }
    if (signal !== undefined) setMaxListeners(0, signal) // many calls may follow the signal of a whole life
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      post(message)
    } catch (error) {
      reject(error)
    }
    return promise.finally(() => {
      pending.delete(id)
      endAlarm?.()
      signal?.removeEventListener('abort', onAbort)
    })
  }

  /** A thread that does not answer a ping is stuck in a loop and will answer nothing else. */
  function checkLife(): void {
    if (pending.has(PING_ID)) return
    ask(PING_ID, { type: 'ping', id: PING_ID }, { method: 'ping', limit: PING_LIMIT }).catch(() =>
      end('it does not answer any more')
    )
  }

  return {
    registration: registration.promise,
    ended: () => reason,
    post,
    ask,
    async close(why) {
      end(why)
      await worker.terminate()
    }
  }
}

interface Listener {
  readonly onRegistered: (features: ReadonlyMap<string, ExecutorFeatures>) => void
  readonly onAnswer: (message: Answer) => void
  readonly onEnd: (why: string) => void
  readonly log: Logger
}

function listen(worker: Worker, { onRegistered, onAnswer, onEnd, log }: Listener): void {
  worker.unref() // a daemon that cannot start ends
  worker.on('message', (message: FromPlugin) => {
    if (message.type === 'registered') {
      onRegistered(new Map(message.executors.map(({ kind, features }) => [kind, toFeatures(features)])))
    } else if (message.type === 'refused') onEnd(refusalOf(message))
    else if (message.type === 'log') writeLog(log, message)
    else onAnswer(message)
  })
  worker.on('messageerror', (error) => onEnd(`it sent what cannot be read: ${error.message}`))
  worker.on('error', (error: unknown) => onEnd(`it failed: ${error instanceof Error ? error.message : String(error)}`))
  worker.on('exit', (code) => onEnd(`it ended with code ${code}`))
  worker.stdout.resume()
  worker.stderr.on('data', (data: Buffer) => log.debug('the plugin wrote', { text: data.toString('utf8').slice(0, 1000) }))
}

/** An answer that nobody waits for any more is dropped. */
function settle(plugin: string, pending: Pending | undefined, message: Answer): void {
  if (message.type === 'result') pending?.resolve(message.value)
  else if (message.type === 'error') pending?.reject(toLocalError(plugin, message.error))
  else pending?.onProgress?.(message.progress)
}

interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

function deferred<T>(): Deferred<T> {
  let settle: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, resolve: (value) => settle?.resolve(value), reject: (error) => settle?.reject(error) }
}

interface Asking extends Pick<PluginCall, 'signal' | 'onProgress' | 'limit'> {
  readonly method: string
}

function startWorker({ plugin, directory, environment }: LinkOptions): Worker {
  return new Worker(hostProgram(), {
    workerData: { entry: new URL(`file://${encodePath(plugin.entry)}`).href, directory, ...contract(plugin) },
    env: Object.fromEntries(Object.entries(environment).filter(([name]) => !SECRET.test(name))),
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB }
  })
}

function contract({ manifest }: LocatedPlugin): { readonly executors: readonly string[]; readonly apiVersion: number } {
  return { executors: manifest.executors, apiVersion: PLUGIN_API_VERSION }
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

declare global {
  /** The text of host.mjs, where the build has put it in: the single executable has no files beside it. */
  var NUNET_PLUGIN_HOST: string | undefined
}

function hostProgram(): URL {
  const text = globalThis.NUNET_PLUGIN_HOST
  return text === undefined ? new URL('./host.mjs', import.meta.url) : new URL(`data:text/javascript,${encodeURIComponent(text)}`)
}

function refusalOf({ message, version }: { readonly message: string; readonly version?: JsonValue }): string {
  if (version === undefined) return message
  try {
    checkVersion(version)
    return message
  } catch (error) {
    return error instanceof Error ? error.message : message
  }
}

function toFeatures(given: unknown): ExecutorFeatures {
  const members = typeof given === 'object' && given !== null ? (given as Readonly<Record<string, unknown>>) : {}
  const has = (name: keyof ExecutorFeatures): boolean => members[name] === true
  return {
    ports: has('ports'),
    mounts: has('mounts'),
    files: has('files'),
    scripts: has('scripts'),
    gpus: has('gpus'),
    exec: has('exec')
  }
}

function writeLog(log: Logger, { level, message, fields }: Extract<FromPlugin, { type: 'log' }>): void {
  const text = message.slice(0, 1000)
  if (level === 'error') log.error(text, fields)
  else if (level === 'warn') log.warn(text, fields)
  else if (level === 'info') log.info(text, fields)
  else log.debug(text, fields)
}
