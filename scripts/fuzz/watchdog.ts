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
const { workerData: { shared, patience, message }, parentPort } = require('node:worker_threads')
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
}, 500)
`

/** Starts the watchdog; `describe` makes the last words from the number of the input. */
export function startWatchdog(describe: (index: string) => string, patience: number = PATIENCE): Watchdog {
  const shared = new SharedArrayBuffer(4)
  const cell = new Int32Array(shared)
  Atomics.store(cell, 0, -1)
  const worker = new Worker(PROGRAM, { eval: true, workerData: { shared, patience, message: describe('#') } })
  worker.unref()
  return {
    onInput: (index) => void Atomics.store(cell, 0, index),
    async stop() {
      await worker.terminate()
    }
  }
}
