import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What a benchmark leaves behind unless it is taken away again. */
export interface Scratch {
  /** A directory of its own. */
  readonly directory: string
  /** Has something undone at the end, whatever happens; last made, first undone. */
  defer(undo: () => Promise<void>): void
  dispose(): Promise<void>
}

/** Creates the directory of a {@link Scratch}. */
export async function createScratch(): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), 'nunet-bench-'))
  const undoing: (() => Promise<void>)[] = []
  return {
    directory,
    defer: (undo) => void undoing.push(undo),
    async dispose() {
      for (let undo = undoing.pop(); undo !== undefined; undo = undoing.pop()) await undo()
      await rm(directory, { recursive: true, force: true })
    }
  }
}
