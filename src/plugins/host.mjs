// Runs one plugin in a thread of its own and answers the daemon, which is on the other side of the port.
//
// Plain JavaScript, because it is started by path as a worker. What the plugin throws by the way ends this thread, never the
// daemon; what a call throws travels back as its answer.
//   in   {type:'call', id, kind, method, args, options}  one call of a method; `options` present: it takes signal and onProgress
//        {type:'abort', id}                             its signal
//        {type:'next'|'return', id}                     the next piece of an iterable, or no more
//        {type:'ping', id}
//   out  {type:'registered', executors}  once, or {type:'refused', message, version}
//        {type:'result', id, value} | {type:'error', id, error} | {type:'progress', id, progress}
//        {type:'changed', kind, features}, {type:'log', level, message, fields}
import { parentPort, workerData } from 'node:worker_threads'

const executors = new Map()
const calls = new Map()
const iterators = new Map()

const describeError = (error) => ({
  code: typeof error?.code === 'string' ? error.code : '',
  kind: typeof error?.kind === 'string' ? error.kind : '',
  field: typeof error?.details?.field === 'string' ? error.details.field : '',
  message: error instanceof Error ? error.message : String(error)
})

const send = (message) => parentPort.postMessage(message)

const write = (level) => (message, fields) => {
  try {
    send({ type: 'log', level, message: String(message), fields: fields ?? {} })
  } catch {
    send({ type: 'log', level, message: String(message), fields: {} }) // fields that cannot be cloned are left out
  }
}

async function load() {
  const module = await import(workerData.entry)
  const plugin = module.plugin ?? module.default?.plugin
  if (typeof plugin?.register !== 'function') throw new Error('its module exports no plugin: export const plugin = …')
  if (plugin.apiVersion !== workerData.apiVersion) {
    send({ type: 'refused', version: plugin.apiVersion ?? null, message: '' })
    return
  }
  await plugin.register({
    directory: workerData.directory,
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    addExecutor(executor) {
      const kind = String(executor?.kind)
      if (!workerData.executors.includes(kind)) {
        throw new Error(`it adds the executor ${kind}, which nunet.executors of its package.json does not name`)
      }
      executors.set(kind, executor)
    }
  })
  const missing = workerData.executors.find((kind) => !executors.has(kind))
  if (missing !== undefined) throw new Error(`it did not add the executor ${missing}, which its package.json names`)
  send({ type: 'registered', executors: [...executors].map(([kind, { features }]) => ({ kind, features: { ...features } })) })
}

async function call({ id, kind, method, args, options }) {
  const abort = new AbortController()
  calls.set(id, abort)
  try {
    const executor = executors.get(kind)
    const extra =
      options === undefined
        ? []
        : [{ ...options, signal: abort.signal, onProgress: (progress) => send({ type: 'progress', id, progress }) }]
    const value = executor[method](...args, ...extra)
    if (method === 'logs') {
      iterators.set(id, value[Symbol.asyncIterator]())
      return
    }
    send({ type: 'result', id, value: await value })
  } catch (error) {
    send({ type: 'error', id, error: describeError(error) })
  } finally {
    if (!iterators.has(id)) calls.delete(id)
  }
}

async function advance({ id, type }) {
  const iterator = iterators.get(id)
  try {
    const { done, value } = type === 'next' ? await iterator.next() : ((await iterator.return?.()) ?? { done: true })
    if (done) forget(id)
    send({ type: 'result', id, value: { done: done === true, value: done ? undefined : value } })
  } catch (error) {
    forget(id)
    send({ type: 'error', id, error: describeError(error) })
  }
}

function forget(id) {
  iterators.delete(id)
  calls.delete(id)
}

parentPort.on('message', (message) => {
  if (message.type === 'call') void call(message)
  else if (message.type === 'abort') calls.get(message.id)?.abort()
  else if (message.type === 'ping') send({ type: 'result', id: message.id, value: null })
  else if (iterators.has(message.id)) void advance(message)
  else send({ type: 'result', id: message.id, value: { done: true } })
})

load().catch((error) => send({ type: 'refused', message: describeError(error).message }))
