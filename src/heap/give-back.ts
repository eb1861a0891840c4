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

/**
 * What glibc does with large buffers: left alone, it raises the size from which a buffer has pages of its own with every larger one that
 * is freed, and small live ones then keep the pages of all between them. A fixed size lets each large buffer go back at once; few arenas
 * leave less unused. The names are those of malloc.h: M_MMAP_THRESHOLD and M_ARENA_MAX.
 */
const MALLOC_OPTIONS: readonly (readonly [name: number, value: number])[] = [
  [-3, 65_536],
  [-8, 2]
]

async function loadTrim(): Promise<(() => void) | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    const { default: koffi } = await import('koffi')
    const library = koffi.load(null)
    const [trim, option] = ['int malloc_trim(size_t)', 'int mallopt(int, int)'].map((face) => asProcedure(library.func(face)))
    for (const [name, value] of MALLOC_OPTIONS) option?.(name, value)
    return () => trim?.(0)
  } catch {
    return undefined // another C library, or a platform without a binary of koffi: nothing is trimmed
  }
}

function asProcedure(value: unknown): ((...values: readonly number[]) => void) | undefined {
  return typeof value === 'function' ? (...values) => void Reflect.apply(value, undefined, values) : undefined
}
