import { execFile } from 'node:child_process'
import { open } from 'node:fs/promises'
import { type Bytes, seconds } from '../../base/index.ts'
import { ExecutorStartFailedError } from '../errors.ts'

const LIMIT = seconds(60)

/** No journal: what a container wrote is of no use once the machine has crashed. Tables are made when they are needed. */
const OPTIONS: readonly string[] = [
  '-q',
  '-F',
  '-m',
  '0',
  '-O',
  '^has_journal,^resize_inode',
  '-E',
  'lazy_itable_init=1,nodiscard,root_owner=0:0'
]

/**
 * Makes a file system of a size in a file with holes, which takes only what is written to it.
 *
 * @throws ExecutorStartFailedError with the words of the tool.
 */
export async function makeDisk(path: string, size: Bytes): Promise<void> {
  const file = await open(path, 'w', 0o600)
  await file.truncate(Math.floor(size / 4096) * 4096).finally(() => file.close())
  await new Promise<void>((resolve, reject) => {
    const options = {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      timeout: LIMIT,
      killSignal: 'SIGKILL'
    } as const
    execFile('mkfs.ext4', [...OPTIONS, path], options, (error, _stdout, stderr) => {
      if (error === null) return resolve()
      reject(new ExecutorStartFailedError(`the disk of the job cannot be made: ${stderr.trim() || error.message}`.slice(0, 500)))
    })
  })
}
