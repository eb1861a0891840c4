import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configKeys } from '../config/index.ts'
import { requirement } from '../testing/index.ts'
import { nameOf } from './argv.ts'
import { type CommandSpec, visibleCommands } from './command.ts'
import { call } from './fixtures.ts'
import { renderManPages } from './man.ts'
import { entries, example, paragraphs, section, title } from './roff.ts'
import { ROOT } from './table.ts'

const run = promisify(execFile)

/** There when it answers; any answer will do. */
const program = (name: string) =>
  requirement(name, async () => {
    await run(name, ['--version']).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') throw new Error(`${name} is not installed`)
    })
    return { available: true }
  })

const groff = await program('groff')
const mandoc = await program('mandoc')

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'man-'))
})
afterEach(() => rm(directory, { recursive: true }))

describe('roff', () => {
  test('takes nothing in a text for a request or an escape', () => {
    expect(paragraphs('.SH is no heading')).toBe('.PP\n\\&.SH is no heading\n')
    expect(paragraphs("'quoted'")).toBe(".PP\n\\&'quoted'\n")
    expect(paragraphs('a \\fBb\n.SH c')).toBe('.PP\na \\efBb .SH c\n')
    expect(example(['.x', 'a  -b'])).toBe('.PP\n.RS 4\n.nf\n\\&.x\na \\-b\n.fi\n.RE\n')
    expect(entries([['--a', 'é `-b`']])).toBe('.TP\n\\fB\\-\\-a\\fR\n\\[u00E9] \\fB\\-b\\fR\n')
    expect(title({ name: 'a-b', section: 1, source: 'x "1"', date: '2026-01-31', manual: 'M' })).toBe(
      '.TH "A\\-B" 1 "2026-01-31" "x \\(dq1\\(dq" "M"\n.ad l\n'
    )
  })

  test('has no heading without a body', () => {
    expect(section('Empty', '')).toBe('')
  })
})

describe('the manual pages', () => {
  const pages = renderManPages(ROOT)

  test('are one for the program, one for each group of commands, and one for the file', () => {
    const groups = visibleCommands(ROOT).filter(({ commands }) => commands !== undefined)
    expect(Object.keys(pages)).toEqual(['nunet.1', ...groups.map(({ name }) => `nunet-${name}.1`), 'dms_config.json.5'])
  })

  test('name every command with its examples, and every key', () => {
    const all = Object.values(pages).join('')
    const check = (path: readonly CommandSpec[]): void => {
      const command = path.at(-1) ?? ROOT
      for (const below of visibleCommands(command)) check([...path, below])
      if (command.commands === undefined) expect(all).toContain(nameOf(path).replaceAll('-', '\\-'))
    }
    check([ROOT])
    for (const { name } of configKeys()) expect(pages['dms_config.json.5']).toContain(`\\fB${name}\\fR`)
    expect(all).not.toMatch(/__complete|autocomplete/)
  })

  test('tell exit codes, files and variables', () => {
    for (const heading of ['EXIT STATUS', 'FILES', 'ENVIRONMENT', 'EXAMPLES', 'SEE ALSO']) {
      expect(pages['nunet.1']).toContain(`.SH "${heading}"`)
    }
  })

  test('are written into a directory for packages', async () => {
    const { code, stdout } = await call(directory, ['__man', 'man'])
    expect(code).toBe(0)
    expect(stdout.trim().split('\n').sort()).toEqual((await readdir(join(directory, 'man'))).sort())
    expect(await readFile(join(directory, 'man/nunet.1'), 'utf8')).toBe(pages['nunet.1'])
  })

  test.skipIf(!groff.available)(groff.title('are set by groff without a warning'), async () => {
    await call(directory, ['__man', '.'])
    for (const name of Object.keys(pages)) {
      const { stderr } = await run('groff', ['-man', '-Tutf8', '-ww', '-z', join(directory, name)])
      expect(stderr).toBe('')
    }
  })

  test.skipIf(!mandoc.available)(mandoc.title('have no fault that mandoc finds'), async () => {
    await call(directory, ['__man', '.'])
    for (const name of Object.keys(pages)) {
      const { stdout } = await run('mandoc', ['-T', 'lint', '-W', 'error', join(directory, name)])
      expect(stdout).toBe('')
    }
  })
})
