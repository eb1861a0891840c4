import { basename, join } from 'node:path'
import { type Clock, encodeGoJson, type Random, systemRandom } from '../base/index.ts'
import { backupFile, FileExistsError, listFiles, readPrivateFile, withFileLock, writePrivateFile } from '../db/index.ts'
import { createVerifier, type Signer } from '../identity/index.ts'
import { type AnchorSet, createAnchorSet } from './anchor-set.ts'
import type { SignatureVerifier } from './chain.ts'
import { createContextOver, endRevokedGrants } from './context.ts'
import {
  type ContextFileContent,
  emptyContent,
  encodeContextFile,
  parseContextFile,
  withoutEntry,
  withoutLongExpired
} from './context-file.ts'
import { BadContextFileError, BadContextNameError, ContextExistsError, ContextNotFoundError, WrongKeyError } from './errors.ts'
import { encodeToken } from './token.ts'
import type { AnchorCounts, Anchors, ContextFile, ContextReload, ContextStore, Token } from './types.ts'

/** Options of {@link createContextStore}. */
export interface ContextStoreOptions {
  /** The folder of the `.cap` files, `<user_dir>/cap`. */
  readonly directory: string
  readonly clock: Clock
  readonly random?: Random
  readonly verifier?: SignatureVerifier
}

const EXTENSION = '.cap'

/** The names of keys: the first character keeps options and hidden files out, the rest keeps paths out (W13). */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/**
 * Creates the store of the capability contexts of a user (A §8.3, §9).
 *
 * Nothing is read or written before a call. Whoever can write these files can add a root anchor (W6): they are made with
 * mode 0600, each in one step, under a lock that all processes of this program respect.
 */
export function createContextStore(options: ContextStoreOptions): ContextStore {
  const { directory, clock, random = systemRandom, verifier = createVerifier() } = options
  const tools: Tools = { clock, random, verifier }

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
      return (await listFiles(directory, EXTENSION)).includes(file)
    },
    async create(name, signer, { overwrite = false } = {}) {
      const path = pathOf(name)
      const content = emptyContent(signer.did)
      await withFileLock(path, async () => {
        if (overwrite) await backupFile(path, { clock })
        await writeNew(path, encodeContextFile(content), overwrite)
      })
      return openFile(path, content, signer, tools)
    },
    async open(name, signer) {
      const path = pathOf(name)
      return openFile(path, await readContent(path, signer, tools), signer, tools)
    }
  }
}

interface Tools {
  readonly clock: Clock
  readonly random: Random
  readonly verifier: SignatureVerifier
}

async function writeNew(path: string, text: string, overwrite: boolean): Promise<void> {
  try {
    await writePrivateFile(path, text, { overwrite })
  } catch (error) {
    if (error instanceof FileExistsError)
      throw new ContextExistsError(`there is a capability context at ${path} already`, { cause: error })
    throw error
  }
}

async function readContent(path: string, signer: Signer, { clock, verifier }: Tools): Promise<ContextFileContent> {
  const text = await readPrivateFile(path)
  if (text === undefined) throw new ContextNotFoundError(`there is no capability context at ${path}`)
  const content = parseContextFile(text, clock.now(), verifier)
  if (!content.ok) {
    const { path: member, message } = content.error
    throw new BadContextFileError(`${path} is no capability context: ${member === '' ? '' : `${member}: `}${message}`)
  }
  if (content.value.did !== signer.did) {
    throw new WrongKeyError(`the capability context at ${path} belongs to ${content.value.did}, not to the key of ${signer.did}`)
  }
  return content.value
}

function openFile(path: string, initial: ContextFileContent, signer: Signer, tools: Tools): ContextFile {
  const grantsHere = new Set<Token>()
  const contextOver = (anchors: AnchorSet): ContextFile['context'] =>
    createContextOver(anchors, grantsHere, { signer, random: tools.random, verifier: tools.verifier })
  const anchors = createAnchorSet(initial.anchors)
  const context = contextOver(anchors)
  let loaded = initial

  return {
    path,
    context,
    get notices() {
      return loaded.notices
    },
    update: (change) =>
      withFileLock(path, async () => {
        const found = await readContent(path, signer, tools)
        const draft = createAnchorSet(found.anchors)
        let { setAside } = found
        const context = contextOver(draft)
        const result = change({
          ...context,
          remove(anchor) {
            const remaining = withoutEntry(setAside, anchor)
            const wasAside = encodeGoJson(remaining) !== encodeGoJson(setAside)
            setAside = remaining
            return context.remove(anchor) || wasAside
          }
        })
        const changed: ContextFileContent = { ...found, anchors: draft.list(), setAside }
        const saved = withoutLongExpired(changed, tools.clock.now())
        if (encodeContextFile(changed) !== encodeContextFile(found)) await writePrivateFile(path, encodeContextFile(saved))
        anchors.replace(withAdditions(saved.anchors, additions(anchors.list(), loaded.anchors)))
        endRevokedGrants(grantsHere, anchors.revocations)
        loaded = saved
        return result
      }),
    reload: () =>
      withFileLock(path, async () => {
        const found = await readContent(path, signer, tools)
        const before = anchors.list()
        anchors.replace(withAdditions(found.anchors, additions(before, loaded.anchors)))
        endRevokedGrants(grantsHere, anchors.revocations)
        loaded = found
        return { ...differences(before, anchors.list()), notices: found.notices }
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
