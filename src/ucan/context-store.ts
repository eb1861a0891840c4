import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { type Clock, createSerialQueue, encodeGoJson, type Random, systemRandom } from '../base/index.ts'
import { FileExistsError, MAX_PRIVATE_FILE } from '../db/index.ts'
import { createVerifier, type Signer } from '../identity/index.ts'
import { type AnchorSet, createAnchorSet } from './anchor-set.ts'
import type { SignatureVerifier } from './chain.ts'
import { createContextOver, endRevokedGrants } from './context.ts'
import {
  type ContextFileContent,
  emptyContent,
  encodeContextFile,
  parseContextFile,
  readableEntries,
  type SignedContent,
  signContextFile,
  withoutEntry,
  withoutLongExpired
} from './context-file.ts'
import { type ContextFiles, createContextFiles } from './context-files.ts'
import {
  BadContextFileError,
  BadContextNameError,
  ContextBusyError,
  ContextChangedError,
  ContextExistsError,
  ContextFullError,
  ContextNotFoundError,
  ContextWritableError,
  WrongKeyError
} from './errors.ts'
import { encodeToken } from './token.ts'
import type {
  AnchorCounts,
  Anchors,
  ContextFile,
  ContextNotice,
  ContextReload,
  ContextStore,
  ContextView,
  Token
} from './types.ts'

/** Options of {@link createContextStore}. */
export interface ContextStoreOptions {
  /** The folder of the `.cap` files, `<user_dir>/cap`. */
  readonly directory: string
  readonly clock: Clock
  readonly random?: Random
  readonly verifier?: SignatureVerifier
  /** Default the files of this machine. */
  readonly files?: ContextFiles
}

const EXTENSION = '.cap'

/** How often a change is tried again because somebody else saved first; more writers than that are no accident. */
const MAX_ATTEMPTS = 50

/** The names of keys: the first character keeps options and hidden files out, the rest keeps paths out (W13). */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/**
 * Creates the store of the capability contexts of a user (A §8.3, §9).
 *
 * Nothing is read or written before a call. Whoever can write these files can add a root anchor (W6): they are made with
 * mode 0600, each in one step, under a lock that all processes of this program respect; they carry a signature of the
 * context's own key; and one that others can write is refused.
 */
export function createContextStore(options: ContextStoreOptions): ContextStore {
  const { directory, clock, random = systemRandom, verifier = createVerifier() } = options
  const { files = createContextFiles(clock) } = options
  const tools: Tools = { clock, random, verifier, files }

  function pathOf(name: string): string {
    if (!NAME.test(name)) {
      throw new BadContextNameError(
        `invalid context name ${JSON.stringify(name.slice(0, 80))}: 1 to 64 letters, digits, dots, dashes and underscores, starting with a letter or digit`
      )
    }
    return join(directory, name + EXTENSION)
  }

  return {
    async exists(name) {
      const file = basename(pathOf(name), EXTENSION)
      return (await files.list(directory, EXTENSION)).includes(file)
    },
    list: async () => (await files.list(directory, EXTENSION)).filter((name) => NAME.test(name)),
    async create(name, signer, { overwrite = false } = {}) {
      const path = pathOf(name)
      const content = emptyContent(signer.did)
      const text = await sign(path, content, signer, tools)
      await files.withLock(path, async () => {
        await files.removeStale(path)
        if (overwrite) await files.backup(path)
        await writeNew(path, text, overwrite, files)
      })
      return openFile(path, content, signer, tools)
    },
    async open(name, signer) {
      const path = pathOf(name)
      const { content } = await readFile(path, tools)
      requireSeal(path, content)
      const key = typeof signer === 'function' ? await signer() : signer
      requireKey(path, content, key)
      return openFile(path, content, key, tools)
    },
    async read(name, { acceptChanged = false } = {}) {
      const path = pathOf(name)
      const { text, content } = await readFile(path, tools)
      if (!acceptChanged) requireSeal(path, content)
      return viewOf(path, text, content)
    },
    async seal(name, signer, digest) {
      const path = pathOf(name)
      const { text, content } = await readFile(path, tools)
      requireKey(path, content, signer)
      if (digestOf(text) !== digest) throw busyError(path)
      const sealed = await sign(path, content, signer, tools)
      let copy: string | undefined
      const isSaved = await replaceText({ path, old: text, text: sealed }, files, async () => {
        copy = await files.backup(path)
      })
      if (!isSaved) throw busyError(path)
      return copy
    }
  }
}

interface Tools {
  readonly clock: Clock
  readonly random: Random
  readonly verifier: SignatureVerifier
  readonly files: ContextFiles
}

async function writeNew(path: string, text: string, overwrite: boolean, files: ContextFiles): Promise<void> {
  try {
    await files.write(path, text, { overwrite })
  } catch (error) {
    if (error instanceof FileExistsError)
      throw new ContextExistsError(`there is a capability context at ${path} already`, { cause: error })
    throw error
  }
}

/** A file as it was read: the text says later whether somebody else has saved. */
interface FoundFile {
  readonly text: string
  readonly content: ContextFileContent
}

/** Reads a file that only its owner can write; its signature is not looked at here. */
async function readFile(path: string, { clock, verifier, files }: Tools): Promise<FoundFile> {
  const text = await files.read(path)
  if (text === undefined) throw new ContextNotFoundError(`there is no capability context at ${path}`)
  const access = await files.findOpenAccess(path)
  if (access !== undefined) {
    throw new ContextWritableError(
      `${access.path} can be changed by ${access.writer} (mode ${access.mode}), and whoever changes ${access.path === path ? 'it' : path} decides who may do what: run ${access.remedy}, then look with: nunet cap list --context ${nameOf(path)}`
    )
  }
  const content = parseContextFile(text, clock.now(), verifier)
  if (!content.ok) {
    const { path: member, message } = content.error
    throw new BadContextFileError(`${path} is no capability context: ${member === '' ? '' : `${member}: `}${message}`)
  }
  return { text, content: content.value }
}

/** Reads a file that belongs to the key of `signer` and was last saved with it, or is not signed at all. */
async function readOwn(path: string, signer: Signer, tools: Tools): Promise<FoundFile> {
  const found = await readFile(path, tools)
  requireKey(path, found.content, signer)
  requireSeal(path, found.content)
  return found
}

function requireKey(path: string, { did }: ContextFileContent, signer: Signer): void {
  if (did === signer.did) return
  throw new WrongKeyError(`the capability context at ${path} belongs to ${did}, not to the key of ${signer.did}`)
}

function requireSeal(path: string, { seal }: ContextFileContent): void {
  if (seal !== 'broken') return
  const name = nameOf(path)
  throw new ContextChangedError(
    `${path} was changed, but not with its key: its signature does not fit what is in it; look with: nunet cap list --context ${name} --unsigned-ok; accept it as it is with: nunet cap seal --context ${name}; or put back a copy ${path}.<time>`
  )
}

function viewOf(path: string, text: string, content: ContextFileContent): ContextView {
  const { did, seal, anchors, setAside } = content
  return {
    path,
    did,
    seal,
    digest: digestOf(text),
    anchors,
    setAside: readableEntries(setAside),
    notices: noticesOf(path, content)
  }
}

function noticesOf(path: string, { seal, notices }: ContextFileContent): readonly ContextNotice[] {
  if (seal === 'signed') return notices
  const name = nameOf(path)
  const message =
    seal === 'unsigned'
      ? `it carries no signature of its key, as files of the Go program; look with: nunet cap list --context ${name}; the next change signs it, or: nunet cap seal --context ${name}`
      : 'its signature does not fit what is in it: it was changed, but not with its key'
  return [{ message }, ...notices]
}

function nameOf(path: string): string {
  return basename(path, EXTENSION)
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

async function sign(path: string, content: SignedContent, signer: Signer, { verifier }: Tools): Promise<string> {
  const text = await signContextFile(content, signer, verifier)
  if (text === undefined) {
    throw new WrongKeyError(`the signature for ${path} does not verify with ${content.did}: nothing was saved`)
  }
  const size = Buffer.byteLength(text)
  if (size > MAX_PRIVATE_FILE) {
    throw new ContextFullError(
      `${path} would have ${size} bytes, at most ${MAX_PRIVATE_FILE} are read again: nothing was saved; remove anchors first`
    )
  }
  return text
}

/** Writes the new text, unless the file no longer has the old one; says whether it did. */
function replaceText(
  { path, old, text }: { readonly path: string; readonly old: string; readonly text: string },
  files: ContextFiles,
  before = async (): Promise<void> => undefined
): Promise<boolean> {
  return files.withLock(path, async () => {
    if ((await files.read(path)) !== old) return false
    await files.removeStale(path)
    await before()
    await files.write(path, text)
    return true
  })
}

function busyError(path: string): ContextBusyError {
  return new ContextBusyError(`${path} was saved by somebody else meanwhile: nothing was overwritten; try again`)
}

function openFile(path: string, initial: ContextFileContent, signer: Signer, tools: Tools): ContextFile {
  const grantsHere = new Set<Token>()
  const contextOver = (anchors: AnchorSet): ContextFile['context'] =>
    createContextOver(anchors, grantsHere, { signer, random: tools.random, verifier: tools.verifier })
  const anchors = createAnchorSet(initial.anchors)
  const context = contextOver(anchors)
  const updates = createSerialQueue()
  let loaded = initial

  function accept(saved: ContextFileContent): void {
    anchors.replace(withAdditions(saved.anchors, additions(anchors.list(), loaded.anchors)))
    endRevokedGrants(grantsHere, anchors.revocations)
    loaded = saved
  }

  /** What a change makes of a file, and what it returned. */
  function draft<T>(found: ContextFileContent, change: (context: ContextFile['context']) => T): Draft<T> {
    const set = createAnchorSet(found.anchors)
    let { setAside } = found
    const target = contextOver(set)
    const result = change({
      ...target,
      remove(anchor) {
        const remaining = withoutEntry(setAside, anchor)
        const wasAside = encodeGoJson(remaining) !== encodeGoJson(setAside)
        setAside = remaining
        return target.remove(anchor) || wasAside
      }
    })
    const changed: ContextFileContent = { ...found, anchors: set.list(), setAside }
    const isChanged = encodeContextFile(changed) !== encodeContextFile(found)
    const saved = withoutLongExpired(changed, tools.clock.now())
    return { result, isChanged, saved: isChanged ? { ...saved, seal: 'signed' } : saved }
  }

  /**
   * Signs first and locks after: the owner of a hardware wallet may take a minute to confirm, in which nobody else should
   * wait, and what was signed is saved only over the very text that it was made from. A process that dies in between leaves
   * neither a lock nor a change.
   */
  async function tryUpdate<T>(change: (context: ContextFile['context']) => T): Promise<Draft<T> | undefined> {
    const { text, content } = await readOwn(path, signer, tools)
    const next = draft(content, change)
    if (!next.isChanged) return next
    const signed = { path, old: text, text: await sign(path, next.saved, signer, tools) }
    return (await replaceText(signed, tools.files)) ? next : undefined
  }

  return {
    path,
    context,
    get notices() {
      return noticesOf(path, loaded)
    },
    update: (change) =>
      updates.run(async () => {
        for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
          const done = await tryUpdate(change)
          if (done === undefined) continue
          accept(done.saved)
          return done.result
        }
        throw busyError(path)
      }),
    reload: () =>
      updates.run(async () => {
        const { content } = await readOwn(path, signer, tools)
        const before = anchors.list()
        accept(content)
        return { ...differences(before, anchors.list()), notices: noticesOf(path, content) }
      })
  }
}

/** How many anchors of each kind are there afterwards and were not before, and the other way round. */
function differences(before: Anchors, after: Anchors): Pick<ContextReload, 'added' | 'removed'> {
  return { added: countsOf(additions(after, before)), removed: countsOf(additions(before, after)) }
}

function countsOf({ roots, require, provide, revoke }: Anchors): AnchorCounts {
  return { roots: roots.length, require: require.length, provide: provide.length, revoke: revoke.length }
}

interface Draft<T> {
  readonly result: T
  readonly isChanged: boolean
  readonly saved: ContextFileContent
}

/** What was anchored in memory only, beside the file. */
function additions(current: Anchors, saved: Anchors): Anchors {
  const newTokens = (list: readonly Token[], old: readonly Token[]): readonly Token[] => {
    const known = new Set(old.map(encodeToken))
    return list.filter((token) => !known.has(encodeToken(token)))
  }
  return {
    roots: current.roots.filter((root) => !saved.roots.includes(root)),
    require: newTokens(current.require, saved.require),
    provide: newTokens(current.provide, saved.provide),
    revoke: newTokens(current.revoke, saved.revoke)
  }
}

function withAdditions(saved: Anchors, added: Anchors): Anchors {
  return {
    roots: [...saved.roots, ...added.roots],
    require: [...saved.require, ...added.require],
    provide: [...saved.provide, ...added.provide],
    revoke: [...saved.revoke, ...added.revoke]
  }
}
