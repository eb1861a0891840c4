import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Gives memory back to the system: garbage of JavaScript, then free pages of the C library where it can. */
export interface MemoryReturn {
  giveBack(): void
}

/**
 * Prepares it. glibc keeps the pages that buffers, sockets and SQLite have freed unless it is told; other C libraries have no
 * such call, and need none.
 */
export async function prepareMemoryReturn(): Promise<MemoryReturn> {
  setFlagsFromString('--expose-gc')
  const collect = asProcedure(runInNewContext('gc'))
  setFlagsFromString('--no-expose-gc')
  const trim = await loadTrim()
  return {
    giveBack() {
      collect?.()
      collect?.() // what only finalizers held
      trim?.()
    }
  }
}

async function loadTrim(): Promise<(() => void) | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    const { default: koffi } = await import('koffi')
    const trim = asProcedure(koffi.load(null).func('int malloc_trim(size_t)'))
    return () => trim?.(0)
  } catch {
    return undefined // another C library, or a platform without a binary of koffi: nothing is trimmed
  }
}

function asProcedure(value: unknown): ((...values: readonly number[]) => void) | undefined {
  return typeof value === 'function' ? (...values) => void Reflect.apply(value, undefined, values) : undefined
}
