import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { type AbortOptions, CancelledError, isJsonObject, type JsonValue, parseJson, selfProgram } from '../base/index.ts'
import { toStoreError } from './durable.ts'
import { ImageDiskFullError, ImageRefusedError, ImageStoreFailedError } from './errors.ts'
import { type LayerJob, type LayerSummary, unpackLayer } from './unpack-layer.ts'

/** The hidden command of this program that {@link unpackLayers} starts. */
export const UNPACK_COMMAND = '__unpack-layers'

const LOW_PRIORITY = 10
const MAX_ANSWER = 1_048_576
/** What the process may hold; layers are streamed through it. */
const HEAP_MIB = 512

/**
 * Unpacks layers in a process of its own, at low priority: the daemon answers meanwhile, and hostile archives meet a process that
 * holds no key. Stops at the first that fails.
 *
 * @throws ImageRefusedError, ImageDiskFullError, ImageStoreFailedError, CancelledError; what is in the targets then is of no use.
 */
export async function unpackLayers(jobs: readonly LayerJob[], { signal }: AbortOptions): Promise<readonly LayerSummary[]> {
  if (jobs.length === 0) return []
  const text = await runChild(JSON.stringify(jobs), signal)
  const parsed = parseJson(text)
  const answer = parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}
  const { layers, error } = answer
  if (isJsonObject(error)) throw toError(textOf(error['code']), textOf(error['message']))
  if (!Array.isArray(layers) || layers.length !== jobs.length)
    throw new ImageStoreFailedError('the process that unpacks layers ended early')
  return layers.map(toSummary)
}

function toSummary(value: JsonValue): LayerSummary {
  const { bytes = 0, files = 0, skipped = 0 } = isJsonObject(value) ? value : {}
  return { bytes: Number(bytes), files: Number(files), skipped: Number(skipped) }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

function toError(code: string, message: string): Error {
  if (code === 'IMAGE_REFUSED') return new ImageRefusedError(message)
  return code === 'IMAGE_DISK_FULL' ? new ImageDiskFullError(message) : new ImageStoreFailedError(message)
}

function runChild(input: string, signal: AbortSignal | undefined): Promise<string> {
  const { command, args } = selfProgram()
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(new CancelledError('unpacking was cancelled'))
    const child = spawn(command, [...args, UNPACK_COMMAND], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` },
      stdio: ['pipe', 'pipe', 'pipe']
    })
    const kill = (): void => void child.kill('SIGKILL')
    signal?.addEventListener('abort', kill, { once: true })
    let [output, complaints] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      output = (output + piece).slice(0, MAX_ANSWER)
    })
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      complaints = (complaints + piece).slice(-1000)
    })
    child.once('error', (error) => reject(new ImageStoreFailedError(`cannot unpack layers: ${error.message}`, { cause: error })))
    child.once('close', (code, killer) => {
      signal?.removeEventListener('abort', kill)
      if (signal?.aborted === true) reject(new CancelledError('unpacking was cancelled'))
      else if (code === 0) resolve(output)
      else reject(new ImageStoreFailedError(`unpacking ended with ${killer ?? `code ${code}`}: ${complaints.trim()}`))
    })
    child.stdin.on('error', () => undefined) // it ended: `close` says how
    child.stdin.end(input)
    if (child.pid !== undefined) lowerPriority(child.pid)
  })
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, LOW_PRIORITY)
  } catch {
    // it ended already, or may not be slowed: a courtesy, not a need
  }
}

/** The other side of {@link unpackLayers}: reads jobs from stdin, says on stdout what became of them. */
export async function serveUnpacker(): Promise<void> {
  let text = ''
  for await (const piece of process.stdin.setEncoding('utf8')) text += String(piece)
  process.stdout.write(JSON.stringify(await unpackAll(JSON.parse(text) as readonly LayerJob[])))
}

async function unpackAll(jobs: readonly LayerJob[]): Promise<JsonValue> {
  const layers: JsonValue[] = []
  try {
    for (const job of jobs) layers.push({ ...(await unpackLayer(job)) })
    return { layers }
  } catch (cause) {
    const error = toStoreError(cause, 'cannot unpack a layer')
    return { error: { code: 'code' in error ? String(error.code) : '', message: error.message } }
  }
}
