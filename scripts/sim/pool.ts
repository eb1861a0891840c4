import { type ChildProcess, fork } from 'node:child_process'

/** How one seed went, as a worker tells it. */
export interface SeedReport {
  readonly seed: string
  readonly isGood: boolean
  /** What is printed of it. */
  readonly text: string
}

/**
 * Has processes of this very program work on the seeds, each on one at a time, until all are done.
 *
 * @param args - The arguments of a worker; it is sent one seed after another, and answers each with a {@link SeedReport}.
 * @throws when a worker ends before its time.
 */
export async function shareSeeds(
  seeds: readonly string[],
  workers: number,
  args: readonly string[],
  report: (report: SeedReport) => void
): Promise<void> {
  const left = [...seeds]
  await Promise.all(
    Array.from({ length: Math.min(workers, seeds.length) }, () => {
      const worker = fork(process.argv[1] ?? '', [...args, '--worker'])
      return feed(worker, left, report).finally(() => worker.kill())
    })
  )
}

function feed(worker: ChildProcess, left: string[], report: (report: SeedReport) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (): void => {
      const seed = left.shift()
      if (seed === undefined) resolve()
      else worker.send(seed)
    }
    worker.on('message', (message) => {
      report(message as SeedReport)
      next()
    })
    worker.on('error', reject)
    worker.on('exit', (code, signal) => reject(new Error(`a worker ended with ${signal ?? code}`)))
    next()
  })
}

/** The other end: works on the seeds that it is sent. */
export function serveSeeds(work: (seed: string) => Promise<SeedReport>): void {
  process.on('message', (seed) => {
    void work(String(seed)).then((done) => process.send?.(done))
  })
  process.on('disconnect', () => process.exit())
}
