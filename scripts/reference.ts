// Prints the references in docs/reference from the code: `npm run docs`. The same code gives the same bytes.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatJson } from '../src/cmd/output.ts'
import { renderCommandReference } from '../src/cmd/reference.ts'
import { renderConfigReference } from '../src/config/index.ts'
import { describeApi, renderBehaviorReference, renderEnsembleReference } from '../src/protocol/index.ts'
import { errorClasses, renderErrorReference } from './support/error-reference.ts'

const root = join(import.meta.dirname, '..')
const directory = join(root, 'docs', 'reference')

const pages: Readonly<Record<string, string>> = {
  'behaviors.md': renderBehaviorReference(),
  'cli.md': renderCommandReference(),
  'config.md': renderConfigReference(),
  'ensemble.md': renderEnsembleReference(),
  'openapi.json': `${formatJson(describeApi())}\n`,
  'errors.md': renderErrorReference(await findErrors())
}

await mkdir(directory, { recursive: true })
for (const name of await readdir(directory)) if (!(name in pages)) await rm(join(directory, name))
for (const [name, text] of Object.entries(pages)) await writeFile(join(directory, name), text)

async function findErrors(): Promise<Parameters<typeof renderErrorReference>[0]> {
  const files = await readdir(join(root, 'src'), { recursive: true })
  const sources = files.filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts')).sort()
  const found = await Promise.all(
    sources.map(async (path) => errorClasses(path, await readFile(join(root, 'src', path), 'utf8')))
  )
  return found.flat()
}
