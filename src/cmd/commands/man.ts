import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Action } from '../command.ts'
import { renderManPages } from '../man.ts'
import { printLine } from '../output.ts'

/** `nunet __man <directory>`: writes every manual page there and prints the names of the files. */
export const writePages: Action = async ({ root, args: [directory = ''] }, io) => {
  const target = resolve(io.cwd, directory)
  await mkdir(target, { recursive: true })
  for (const [name, text] of Object.entries(renderManPages(root))) {
    await writeFile(join(target, name), text)
    await printLine(io, name)
  }
}
