import { execFileSync } from 'node:child_process'
import { errorMessage } from '../base/index.ts'
import { ImageStoreFailedError } from './errors.ts'

/** System calls that Node lacks. */
export interface KernelCalls {
  /** Hides a file of the layers below. */
  makeWhiteout(path: string): void
  /** Hides all that the layers below have in a directory. */
  markOpaque(directory: string): void
  /** Writes the file system out. */
  sync(directory: string): Promise<void>
}

const CHARACTER_DEVICE = 0o020_000

/** The calls of the C library, or the system's tools where that cannot be loaded. */
export async function loadKernelCalls(): Promise<KernelCalls> {
  const attribute = process.getuid?.() === 0 ? 'trusted.overlay.opaque' : 'user.overlay.opaque'
  try {
    return await loadLibrary(attribute)
  } catch {
    return createTools(attribute) // another C library, or a platform without a binary of koffi
  }
}

async function loadLibrary(attribute: string): Promise<KernelCalls> {
  const { default: koffi } = await import('koffi')
  const library = koffi.load(null)
  const mknod = library.func('int mknod(const char *path, uint32_t mode, uint64_t device)')
  const setxattr = library.func('int lsetxattr(const char *path, const char *name, const char *value, size_t size, int flags)')
  const open = library.func('int open(const char *path, int flags)')
  const syncfs = library.func('int syncfs(int file)')
  const close = library.func('int close(int file)')
  function must(result: unknown, what: string): void {
    if (result !== 0) throw new ImageStoreFailedError(`${what} failed with errno ${koffi.errno()}`)
  }
  return {
    makeWhiteout: (path) => must(mknod(path, CHARACTER_DEVICE, 0), `mknod ${path}`),
    markOpaque: (path) => must(setxattr(path, attribute, 'y', 1, 0), `setting ${attribute} of ${path}`),
    sync(directory) {
      const file: unknown = open(directory, 0)
      must(syncfs(file), `syncfs ${directory}`)
      must(close(file), `close ${directory}`)
      return Promise.resolve()
    }
  }
}

function createTools(attribute: string): KernelCalls {
  function run(program: string, args: readonly string[]): void {
    try {
      execFileSync(program, args, { stdio: 'ignore', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } })
    } catch (error) {
      throw new ImageStoreFailedError(`${program} is needed to unpack this layer: ${errorMessage(error)}`, { cause: error })
    }
  }
  return {
    makeWhiteout: (path) => run('mknod', ['--', path, 'c', '0', '0']),
    markOpaque: (path) => run('setfattr', ['-n', attribute, '-v', 'y', '--', path]),
    sync: (directory) => Promise.resolve(run('sync', ['-f', '--', directory]))
  }
}
