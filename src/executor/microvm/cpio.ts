/** One entry of an archive that the kernel unpacks as its first file system. */
export interface ArchiveEntry {
  /** Relative, without `.` and `..`. */
  readonly path: string
  /** Permission bits. */
  readonly mode: number
  /** A file has it, a directory has not. */
  readonly content?: Uint8Array
}

const FILE = 0o100000
const DIRECTORY = 0o040000
const TRAILER: ArchiveEntry = { path: 'TRAILER!!!', mode: 0, content: new Uint8Array() }

/**
 * An archive in the form `newc` of cpio, which is what Linux takes as an initrd; everything in it belongs to root.
 *
 * Directories above an entry are added with mode 0755 where no entry has them. Several archives may follow each other in one file.
 *
 * @see Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
 */
export function packArchive(entries: readonly ArchiveEntry[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [index, entry] of [...withParents(entries), TRAILER].entries()) {
    const { path, content } = entry
    parts.push(padded(Buffer.concat([header(entry, index + 1), Buffer.from(`${path}\0`)])), padded(content ?? new Uint8Array()))
  }
  return Buffer.concat(parts)
}

function withParents(entries: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  const all = new Map<string, ArchiveEntry>()
  for (const entry of entries) {
    const steps = entry.path.split('/')
    for (let depth = 1; depth < steps.length; depth += 1) {
      const path = steps.slice(0, depth).join('/')
      if (!all.has(path)) all.set(path, { path, mode: 0o755 })
    }
    all.set(entry.path, entry)
  }
  return [...all.values()]
}

function header({ path, mode, content }: ArchiveEntry, inode: number): Uint8Array {
  const type = content === undefined ? DIRECTORY : FILE
  const links = content === undefined ? 2 : 1
  const nameLength = Buffer.byteLength(path) + 1
  const fields = [inode, type | mode, 0, 0, links, 0, content?.length ?? 0, 0, 0, 0, 0, nameLength, 0]
  return Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`)
}

/** Names and contents begin at multiples of four. */
function padded(data: Uint8Array): Uint8Array {
  return Buffer.concat([data, new Uint8Array((4 - (data.length % 4)) % 4)])
}
