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
  const collect: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  const trim = await loadTrim()
  return {
    giveBack() {
      if (typeof collect === 'function') {
        collect()
        collect() // what only finalizers held
      }
      trim?.()
    }
  }
}

async function loadTrim(): Promise<(() => void) | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    const { default: koffi } = await import('koffi')
    const trim: unknown = koffi.load(null).func('int malloc_trim(size_t)')
    return typeof trim === 'function' ? () => void trim(0) : undefined
  } catch {
    return undefined // another C library, or a platform without a binary of koffi: nothing is trimmed
  }
}
