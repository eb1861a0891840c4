import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { programBuild, selfProgram } from './self-program.ts'

test('source was not bundled', () => {
  expect(programBuild()).toBeUndefined()
})

test('the program that is started again is the command line, wherever it is started', async () => {
  const { command, args } = selfProgram()
  const { stdout } = await promisify(execFile)(command, [...args, 'version'], { cwd: tmpdir() })
  expect(stdout).toMatch(/^NuNet Device Management Service\nVersion: \d/)
})
