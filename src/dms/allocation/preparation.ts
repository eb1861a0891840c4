import { decodeBase64, encodeBase64, fromUtf8, isJsonObject, type JsonValue, utf8 } from '../../base/index.ts'
import type { WorkloadFile, WorkloadScript } from '../../executor/index.ts'
import type { KeyPair } from '../../identity/index.ts'
import { BadPreparationError, UnreadablePreparationError } from './errors.ts'

/** What is put into a workload before its program runs. */
export interface Preparation {
  readonly files: readonly WorkloadFile[]
  readonly scripts: readonly WorkloadScript[]
  /** Volumes as the ensemble lists them; they may hold secrets too. */
  readonly volumes: readonly JsonValue[]
}

/** Where keys of type `ssh` without a destination go: the keys that open the account of root. */
const AUTHORIZED_KEYS = '/root/.ssh/authorized_keys'

/** Nobody but the user of the program reads a key. */
const KEY_MODE = 0o600

const MOST_KEYS = 64
const MOST_SCRIPTS = 64
const MOST_VOLUMES = 64
const LONGEST_KEY = 65_536
const LONGEST_PATH = 4096

/** Parts of the inside that the kernel makes: a file put there would be hidden, or a switch of this machine. */
const KERNEL = /^\/(proc|sys|dev)(\/|$)/

/**
 * Joins scripts and keys as they came with an allocation (C §3.3), which is a stranger's word whatever was checked where they come
 * from.
 *
 * @param order - Names of the scripts as they are to run; where it is missing, as in requests of the Go program, they run in the
 *                order of their names.
 * @throws BadPreparationError naming the part.
 */
export function toPreparation(
  scripts: Readonly<Record<string, Uint8Array>>,
  order: readonly string[] | undefined,
  keys: JsonValue,
  volume: JsonValue = null
): Preparation {
  const names = order ?? Object.keys(scripts).sort()
  if (names.length > MOST_SCRIPTS)
    throw new BadPreparationError(`${names.length} scripts are to run, at most ${MOST_SCRIPTS} may`)
  return {
    scripts: names.map((name) => {
      const content = Object.hasOwn(scripts, name) ? scripts[name] : undefined
      if (content === undefined) throw new BadPreparationError(`the script ${JSON.stringify(name.slice(0, 128))} is missing`)
      return { name, content }
    }),
    files: toFiles(keys),
    volumes: toVolumes(volume)
  }
}

/** A list, or the one volume of older requests; what each of them says is for the providers of volumes to judge. */
function toVolumes(volume: JsonValue): readonly JsonValue[] {
  if (volume === null) return []
  const list: readonly JsonValue[] = Array.isArray(volume) ? volume : [volume]
  if (list.length > MOST_VOLUMES)
    throw new BadPreparationError(`${list.length} volumes are wanted, at most ${MOST_VOLUMES} may be`)
  return list
}

/** Keys that share a destination, as those of several users for one account, become lines of one file. */
function toFiles(keys: JsonValue): readonly WorkloadFile[] {
  if (keys === null) return []
  if (!Array.isArray(keys) || keys.length > MOST_KEYS)
    throw new BadPreparationError(`keys must be a list of at most ${MOST_KEYS}`)
  const contents = new Map<string, string>()
  for (const [index, key] of (keys as readonly JsonValue[]).entries()) {
    const { path, content } = readKey(key, `keys.${index}`)
    const before = contents.get(path) ?? ''
    contents.set(path, before === '' || before.endsWith('\n') ? before + content : `${before}\n${content}`)
  }
  return [...contents].map(([path, content]) => ({ path, content: utf8(content), mode: KEY_MODE }))
}

function readKey(key: JsonValue, at: string): { readonly path: string; readonly content: string } {
  if (!isJsonObject(key)) throw new BadPreparationError(`${at} must be an object with type, file and dest`)
  const { type, file, dest } = key
  if (type !== 'ssh' && type !== 'gpg') throw new BadPreparationError(`${at}.type must be ssh or gpg`)
  if (typeof file !== 'string' || file === '' || file.length > LONGEST_KEY) {
    throw new BadPreparationError(`${at}.file must be the key, of at most ${LONGEST_KEY} characters`)
  }
  const path = typeof dest === 'string' && dest !== '' ? dest : type === 'ssh' ? AUTHORIZED_KEYS : ''
  const parts = path.split('/').slice(1)
  const isNormal = path.startsWith('/') && !parts.some((part) => part === '' || part === '.' || part === '..')
  if (!isNormal || path.length > LONGEST_PATH || path.includes('\0') || KERNEL.test(path)) {
    throw new BadPreparationError(`${at}.dest must be an absolute path without "." and "..", outside of /proc, /sys and /dev`)
  }
  return { path, content: type === 'ssh' && !file.endsWith('\n') ? `${file}\n` : file }
}

/** The form in which it is stored: for this node alone, because keys and scripts hold secrets (C §15.4, 6). Nothing for nothing. */
export function sealPreparation(nodeKey: KeyPair, { files, scripts, volumes }: Preparation): string | undefined {
  if (files.length + scripts.length + volumes.length === 0) return undefined
  const wire = {
    files: files.map(({ path, content, mode }) => ({ path, content: encodeBase64(content), mode })),
    scripts: scripts.map(({ name, content }) => ({ name, content: encodeBase64(content) })),
    volumes
  }
  return encodeBase64(nodeKey.seal(utf8(JSON.stringify(wire))))
}

/** Opens what {@link sealPreparation} made. */
export function unsealPreparation(nodeKey: KeyPair, sealed: string | undefined): Preparation {
  if (sealed === undefined) return { files: [], scripts: [], volumes: [] }
  const data = decodeBase64(sealed)
  const wire: unknown = data.ok ? JSON.parse(fromUtf8(nodeKey.unseal(data.value))) : undefined
  if (!isJsonObject(wire)) throw new UnreadablePreparationError('the files and scripts of a stored allocation cannot be read')
  return {
    files: itemsOf(wire['files']).map((item) => ({
      path: textIn(item, 'path'),
      content: contentOf(item),
      mode: Number(item['mode'])
    })),
    scripts: itemsOf(wire['scripts']).map((item) => ({ name: textIn(item, 'name'), content: contentOf(item) })),
    volumes: listOf(wire['volumes'])
  }
}

function itemsOf(value: JsonValue | undefined): readonly Readonly<Record<string, JsonValue>>[] {
  return listOf(value).filter(isJsonObject)
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : []
}

function textIn(item: Readonly<Record<string, JsonValue>>, member: string): string {
  const value = item[member]
  if (typeof value !== 'string')
    throw new UnreadablePreparationError('the files and scripts of a stored allocation cannot be read')
  return value
}

function contentOf({ content }: Readonly<Record<string, JsonValue>>): Uint8Array {
  const data = typeof content === 'string' ? decodeBase64(content) : undefined
  if (data?.ok !== true) throw new UnreadablePreparationError('the files and scripts of a stored allocation cannot be read')
  return data.value
}
