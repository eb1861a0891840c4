// Writes the manual pages into a directory, `tsx scripts/man.ts <directory>`, for packages; `nunet __man` does the same.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { renderManPages } from '../src/cmd/man.ts'
import { ROOT } from '../src/cmd/table.ts'

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: tsx scripts/man.ts <directory>')
await mkdir(directory, { recursive: true })
for (const [name, text] of Object.entries(renderManPages(ROOT))) await writeFile(join(directory, name), text)
