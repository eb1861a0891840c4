import { constants, open, realpath } from 'node:fs/promises'
import type { AbortOptions, Bytes } from '../../base/index.ts'
import { ExecutorBadSpecError } from '../errors.ts'
import type { StartOptions } from '../executor.ts'
import { checkModule, type ModuleSource, type RegistryLogin } from './spec.ts'

/** Fetches modules from registries; satisfied by the image store. */
export interface ModuleStore {
  /** The only file of an artefact, kept until {@link ModuleStore.release}. */
  fetch(reference: string, options: ModuleFetch): Promise<{ readonly path: string }>
  release(workloadId: string): Promise<void>
}

/** How a module is fetched. */
export interface ModuleFetch extends AbortOptions {
  readonly workloadId: string
  readonly auth?: RegistryLogin
  readonly maxBytes: Bytes
  readonly onProgress?: (progress: { readonly step: string; readonly done: Bytes; readonly total: Bytes }) => void
}

/** What loading needs. */
export interface LoadOptions extends StartOptions {
  readonly workloadId: string
  readonly maxBytes: Bytes
  readonly store: ModuleStore | undefined
}

/**
 * The bytes of the module, wherever it is.
 *
 * @throws ExecutorBadSpecError when there is no module there, or it is larger than `maxBytes`; errors of the store.
 */
export async function loadModule(source: ModuleSource, options: LoadOptions): Promise<Uint8Array> {
  if (source.type === 'bytes') return source.bytes
  const { maxBytes } = options
  if (source.type === 'file' && source.mount === '')
    throw new ExecutorBadSpecError('module_path', 'is not below a volume of the job')
  if (source.type === 'file') return await readBelow('module_path', source.path, source.mount, maxBytes)
  const { store, workloadId, signal, onProgress } = options
  if (store === undefined) throw new ExecutorBadSpecError('image', 'this machine fetches no modules from registries')
  try {
    const { path } = await store.fetch(source.reference, {
      workloadId,
      maxBytes,
      ...(source.auth && { auth: source.auth }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress })
    })
    return await readBelow('image', path, path, maxBytes)
  } finally {
    await store.release(workloadId) // the run has a copy of its own
  }
}

/** Reads a regular file and makes sure by what was opened, not by its name, that it lies below `root`: jobs may write there. */
async function readBelow(field: string, path: string, root: string, maxBytes: Bytes): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    throw new ExecutorBadSpecError(
      field,
      `cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'error'}`
    )
  })
  try {
    const [opened, top, status] = await Promise.all([realpath(`/proc/self/fd/${file.fd}`), realpath(root), file.stat()])
    if (opened !== top && !opened.startsWith(`${top}/`)) throw new ExecutorBadSpecError(field, 'leads out of the volume')
    if (!status.isFile()) throw new ExecutorBadSpecError(field, 'is no file')
    if (status.size > maxBytes) throw new ExecutorBadSpecError(field, `is larger than ${maxBytes} bytes`)
    const module = await file.readFile()
    checkModule(field, module)
    return module
  } finally {
    await file.close()
  }
}
