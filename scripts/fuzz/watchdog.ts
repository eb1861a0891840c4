import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** An input that runs longer than this can only be ended from outside. */
const PATIENCE = 30_000

/** Ends this process when one input never ends. */
export interface Watchdog {
  readonly onInput: (index: number) => void
  stop(): Promise<void>
}

/** In a thread of its own, because an endless loop lets no timer of this one run. JavaScript, because threads read no TypeScript. */
const PROGRAM = `
const { parentPort, workerData: { shared, patience, message } } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const cell = new Int32Array(shared)
let [seen, since] = [-1, Date.now()]
setInterval(() => {
  const index = Atomics.load(cell, 0)
  if (index !== seen) [seen, since] = [index, Date.now()]
  else if (index >= 0 && Date.now() - since > patience) {
    writeSync(2, 'FINDING: ' + message.replace('#', String(index)) + '\\n')
    process.kill(process.pid, 'SIGKILL')
  }
}, Math.min(500, patience / 2))
parentPort.postMessage('watching')
`

/** Starts the watchdog and waits until it watches; `describe` makes the last words from the number of the input. */
export async function startWatchdog(describe: (index: string) => string, patience: number = PATIENCE): Promise<Watchdog> {
  const shared = new SharedArrayBuffer(4)
  const cell = new Int32Array(shared)
  Atomics.store(cell, 0, -1)
  // Without the flags of this process: a loader of modules would need this thread.
  const worker = new Worker(PROGRAM, { eval: true, execArgv: [], workerData: { shared, patience, message: describe('#') } })
  await once(worker, 'message')
  worker.unref()
  return {
    onInput: (index) => void Atomics.store(cell, 0, index),
    async stop() {
      await worker.terminate()
    }
  }
}
