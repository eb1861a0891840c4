// @ts-check
import { createHash } from 'node:crypto'
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CancelledError, ExecutorBadSpecError, ExecutorUnknownHandleError, ExecutorUnsupportedError } from '@nunet/dms/plugin'

/**
 * @import { Executor, ExitStatus, RunHandle, Workload } from '@nunet/dms/plugin'
 * @typedef {{ id: string, text: string, error: string, endsAt: number | null, code: number }} Run
 */

const FIELDS = ['type', 'text', 'error', 'seconds', 'code']
const POLL_MS = 50
const NOTHING = { ports: false, mounts: false, files: false, scripts: false, gpus: false, exec: false }

/**
 * Prints what it is told. A workload is a file that says when it ends, so nothing is lost when the daemon or the plugin dies.
 *
 * @param {{ directory: string }} options
 * @returns {Executor}
 */
export function createEchoExecutor({ directory }) {
  /** @param {string} id */
  const handleOf = (id) => /** @type {RunHandle} */ (`echo:${id}`)
  /** @param {RunHandle} handle @param {string} [kind] */
  const pathOf = (handle, kind = 'run') => join(directory, `${createHash('sha256').update(handle).digest('hex')}.${kind}`)

  /** @param {RunHandle} handle @returns {Promise<Run | undefined>} */
  async function read(handle) {
    return await readJson(pathOf(handle))
  }

  /** @param {RunHandle} handle @returns {Promise<Run>} */
  async function known(handle) {
    const run = await read(handle)
    if (run === undefined) throw new ExecutorUnknownHandleError(`there is no workload ${handle}`)
    return run
  }

  /** @param {RunHandle} handle @returns {Promise<ExitStatus | undefined>} */
  async function endOf(handle) {
    const run = await read(handle)
    if (run === undefined) return { type: 'lost', reason: 'it no longer exists' }
    const isOver = run.endsAt !== null && run.endsAt <= Date.now()
    const stoppedAt = (await readJson(pathOf(handle, 'stop')))?.at
    if (stoppedAt !== undefined && !(run.endsAt !== null && run.endsAt <= stoppedAt)) {
      return { type: 'killed', signal: 'SIGTERM', outOfMemory: false }
    }
    return isOver ? { type: 'exited', code: run.code } : undefined
  }

  /** @param {RunHandle} handle @param {AbortSignal} [signal] @returns {Promise<ExitStatus>} */
  async function ended(handle, signal) {
    for (;;) {
      if (signal?.aborted) throw new CancelledError(`waiting for ${handle} was cancelled`)
      const status = await endOf(handle)
      if (status !== undefined) return status
      await sleep(POLL_MS)
    }
  }

  return {
    kind: 'echo',
    features: NOTHING,
    probe: async () => ({ available: true, version: '1.0.0' }),
    check(workload) {
      parse(workload)
    },
    async start(workload, { signal } = {}) {
      const { seconds, ...spec } = parse(workload)
      if (signal?.aborted) throw new CancelledError(`the start of ${workload.id} was cancelled`)
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const endsAt = seconds < 0 ? null : Date.now() + seconds * 1000
      await createOnce(pathOf(handleOf(workload.id)), { id: workload.id, ...spec, endsAt })
      return handleOf(workload.id)
    },
    recover: async (handle) => (await read(handle)) !== undefined,
    wait: (handle, { signal } = {}) => ended(handle, signal),
    async stop(handle) {
      if ((await read(handle)) !== undefined) await createOnce(pathOf(handle, 'stop'), { at: Date.now() })
    },
    async remove(handle) {
      for (const kind of ['run', 'stop']) await rm(pathOf(handle, kind), { force: true })
    },
    async *logs(handle, { follow = false, signal } = {}) {
      const { text, error } = await known(handle)
      if (text !== '') yield { stream: 'stdout', data: Buffer.from(text) }
      if (error !== '') yield { stream: 'stderr', data: Buffer.from(error) }
      if (follow) await ended(handle, signal)
    },
    async usage(handle) {
      await known(handle)
      return (await endOf(handle)) === undefined ? { cpuPercent: 0 } : {}
    },
    exec: () => Promise.reject(new ExecutorUnsupportedError('an echo has no commands inside')),
    async list() {
      const names = await readdir(directory).catch(() => /** @type {string[]} */ ([]))
      const runs = await Promise.all(names.filter((name) => name.endsWith('.run')).map((name) => readJson(join(directory, name))))
      return runs.filter((run) => run !== undefined).map(({ id }) => ({ id, handle: handleOf(id) }))
    }
  }
}

/** @param {Workload} workload */
function parse({ spec, ports, mounts = [], files = [], scripts = [], gpus = [] }) {
  if (typeof spec !== 'object' || spec === null) throw new ExecutorBadSpecError('execution', 'must be a map')
  const fields = /** @type {Record<string, unknown>} */ (spec)
  const stray = Object.keys(fields).find((name) => !FIELDS.includes(name))
  if (stray !== undefined) throw new ExecutorBadSpecError(stray, `is not one of ${FIELDS.join(', ')}`)
  const { text, error = '', seconds = 0, code = 0 } = fields
  if (typeof text !== 'string') throw new ExecutorBadSpecError('text', 'must be a text')
  if (typeof error !== 'string') throw new ExecutorBadSpecError('error', 'must be a text')
  if (typeof seconds !== 'number' || !(seconds >= -1 && seconds <= 86_400)) {
    throw new ExecutorBadSpecError('seconds', 'must be a number from -1 to 86400')
  }
  if (typeof code !== 'number' || !Number.isInteger(code) || code < 0 || code > 255) {
    throw new ExecutorBadSpecError('code', 'must be a whole number from 0 to 255')
  }
  const more = Object.entries({ ports, mounts, files, scripts, gpus }).find(([, items]) => items.length > 0)
  if (more !== undefined) throw new ExecutorUnsupportedError(`the executor echo gives no ${more[0]} to a workload`)
  return { text, error, seconds, code }
}

/** Creates the file with its whole content, or leaves the one that is there. @param {string} path @param {object} value */
async function createOnce(path, value) {
  const temporary = `${path}.${process.hrtime.bigint()}.${Math.random()}`
  await writeFile(temporary, JSON.stringify(value), { mode: 0o600 })
  await link(temporary, path).catch((failure) => {
    if (failure.code !== 'EEXIST') throw failure
  })
  await rm(temporary)
}

/** @param {string} path @returns {Promise<any>} */
async function readJson(path) {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (failure) {
    if (/** @type {{ code?: string }} */ (failure).code === 'ENOENT') return undefined
    throw failure
  }
}
