import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hasErrno } from '../../base/index.ts'
import { JOB_INTERFACE_PREFIX, type JobAddress } from '../egress.ts'

/** 198.19.0.0 as a number. */
const FIRST = ((198 << 24) | (19 << 16)) >>> 0
const BLOCKS = 16_384
const NAME = /^[0-9a-f]{4}$/

/** Who has which addresses; shared by all nodes of this machine, and gone when it restarts, as the jobs are. */
export interface Addresses {
  /** `undefined` when none is left. */
  take(owner: string): Promise<JobAddress | undefined>
  give(owner: string): Promise<void>
}

/** One file for each block of addresses in use, named by its number, in `directory`; making it is taking it. */
export function createAddresses(directory: string): Addresses {
  async function find(owner: string): Promise<number | undefined> {
    for (const name of await namesIn(directory)) {
      if ((await readFile(join(directory, name), 'utf8').catch(() => '')) === owner) return Number.parseInt(name, 16)
    }
    return undefined
  }

  return {
    async take(owner) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const known = await find(owner)
      if (known !== undefined) return addressOf(known)
      const start = createHash('sha256').update(owner).digest().readUInt16BE(0)
      for (let attempt = 0; attempt < BLOCKS; attempt += 1) {
        const block = (start + attempt) % BLOCKS
        if (await claim(join(directory, nameOf(block)), owner)) return addressOf(block)
      }
      return undefined
    },
    async give(owner) {
      const block = await find(owner)
      if (block !== undefined) await rm(join(directory, nameOf(block)), { force: true })
    }
  }
}

/** The four addresses of a block: the network, this machine, the job, all of them. */
export function addressOf(block: number): JobAddress {
  const network = FIRST + block * 4
  return {
    address: dotted(network + 2),
    gateway: dotted(network + 1),
    prefix: 30,
    hostInterface: `${JOB_INTERFACE_PREFIX}j${nameOf(block)}`
  }
}

/** A file that an interrupted claim left empty belongs to nobody, and is never found; the machine's restart removes it. */
async function claim(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(owner).finally(() => file.close())
    return true
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false
    throw error
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => NAME.test(name))
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return []
    throw error
  }
}

function nameOf(block: number): string {
  return block.toString(16).padStart(4, '0')
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}
