import { describe, expect, test } from 'vitest'
import { nameOf, parseLine, resolveCommand } from './argv.ts'
import { type CommandSpec, flagsOf, visibleCommands } from './command.ts'
import { checkLine } from './flags.ts'
import { ROOT } from './table.ts'

/** The words of a line as a shell would cut it, without redirections and what comes after a pipe. */
function shellWords(line: string): readonly string[] {
  const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain ?? ''
  )
  const end = words.findIndex((word) => ['|', '<', '>', '&&'].includes(word))
  return end < 0 ? words : words.slice(0, end)
}

function* leaves(path: readonly CommandSpec[]): Generator<readonly CommandSpec[]> {
  const below = visibleCommands(path.at(-1))
  if (below.length === 0) yield path
  for (const command of below) yield* leaves([...path, command])
}

function* groups(path: readonly CommandSpec[]): Generator<readonly CommandSpec[]> {
  const below = visibleCommands(path.at(-1))
  if (below.length > 0) yield path
  for (const command of below) yield* groups([...path, command])
}

/** Parses and checks a line as `main` would; gives the command that it means. */
function commandOf(line: string): string {
  const [program, ...words] = shellWords(line)
  expect(program).toBe('nunet')
  const { path, rest } = resolveCommand(ROOT, words)
  const specs = flagsOf(path)
  const parsed = parseLine(specs, rest)
  checkLine(path.at(-1) ?? ROOT, nameOf(path), specs, parsed)
  return nameOf(path)
}

describe('the help of', () => {
  test.each([...leaves([ROOT])].map((path) => [nameOf(path), path.at(-1) ?? ROOT] as const))(
    '%s has examples, each a line that the command itself takes',
    (name, { examples = [] }) => {
      expect(examples.length).toBeGreaterThan(0)
      expect(examples.map(commandOf)).toEqual(examples.map(() => name))
    }
  )

  test.each([...groups([ROOT])].map((path) => [nameOf(path), path.at(-1) ?? ROOT] as const))(
    'the group %s has only examples that parse',
    (name, { examples = [] }) => {
      for (const line of examples) expect(commandOf(line)).toMatch(new RegExp(`^${name} `))
    }
  )

  test('says in a sentence what a command and each of its flags do', () => {
    for (const path of leaves([ROOT])) {
      const command = path.at(-1) ?? ROOT
      for (const text of [command.summary, command.description, ...(command.flags ?? []).map(({ doc }) => doc)]) {
        if (text !== undefined) expect(text, nameOf(path)).toMatch(/^\S.*\.$/)
      }
    }
  })
})
