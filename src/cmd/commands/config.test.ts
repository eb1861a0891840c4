import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CallOptions, call } from '../fixtures.ts'

let home = ''
let path = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-'))
  path = join(home, 'dms_config.json')
})
afterEach(() => rm(home, { recursive: true }))

const nunet = (line: string, options?: CallOptions) => call(home, line.split(' '), options)
const text = () => readFile(path, 'utf8')

const NOW = '2026-01-02T03:04:05Z'
const BACKUP = `dms_config.json.bk.${Date.parse(NOW) / 1000}`

describe('config get', () => {
  test('masks secrets until they are asked for, and says nothing with --quiet', async () => {
    await writeFile(path, '{"apm":{"api_key":"hunter2"}}')
    const masked = await nunet('config get apm.api_key')
    expect(masked).toMatchObject({ code: 0, stdout: '"********"\n' })
    for (const line of ['config get', 'config get apm', 'config get --sources', 'config get --sources --json']) {
      const { stdout, stderr } = await nunet(line)
      expect(stdout + stderr).toContain('********')
      expect(stdout + stderr).not.toContain('hunter2')
    }
    expect(await nunet('config get -q apm.api_key --reveal')).toEqual({ code: 0, stdout: '"hunter2"\n', stderr: '' })
    expect((await nunet('config get --json apm.secret_token')).stdout).toBe('""\n')
  })

  test('tells for every key where its value comes from', async () => {
    await writeFile(path, '{"rest":{"addr":"::1"},"observability":{"log_level":"WARN"}}')
    const environment = { DMS_GENERAL_DEBUG: 'true', BOOTSTRAP_PEERS: '/dns/a' }
    const { stdout, stderr } = await nunet('--rest-port 7 config get --sources', { environment })
    expect(stderr).toContain(`Found config file at: ${path}\n`)
    expect(stdout).toMatch(/^rest\.port +7 {2}\(flag --rest-port\)$/m)
    expect(stdout).toContain(`  "::1"  (file ${path})\n`)
    expect(stdout).toMatch(/^general\.debug +true {2}\(environment DMS_GENERAL_DEBUG\)$/m)
    expect(stdout).toMatch(/^p2p\.bootstrap_peers +\["\/dns\/a"\] {2}\(environment BOOTSTRAP_PEERS\)$/m)
    expect(stdout).toMatch(/^p2p\.memory +1024 {2}\(default\)$/m)
    const one = await nunet('config get --sources --json observability.log_level')
    expect(JSON.parse(one.stdout)).toEqual({ 'observability.logging.level': { value: 'WARN', source: 'file', origin: path } })
    expect(await readdir(home)).toEqual(['dms_config.json'])
  })
})

describe('config set', () => {
  test('reads a value from stdin, and shows no secret', async () => {
    const { code, stdout } = await nunet('config set --json apm.api_key -', { input: 'hunter2\n' })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      path: join(home, '.nunet/dms_config.json'),
      key: 'apm.api_key',
      value: '********',
      created: true
    })
    expect((await nunet('config get -q --reveal apm.api_key')).stdout).toBe('"hunter2"\n')
  })

  test('tells of a variable that counts more than the file, and of what else is wrong in it', async () => {
    await writeFile(path, '{"rest":{"prt":1}}')
    const outcome = await nunet('config set -q rest.port 1', { environment: { DMS_REST_PORT: '2' } })
    expect(outcome).toMatchObject({ code: 0, stdout: '' })
    expect(outcome.stderr).toContain('Warning: DMS_REST_PORT is set in the environment and counts instead\n')
    expect(outcome.stderr).toContain(`Warning: ${path}: unknown key "rest.prt"; did you mean "rest.port"?\n`)
  })

  test('replaces deprecated keys on the way, tells so and keeps the old file', async () => {
    const before = '{"observability":{"log_level":"WARN"}}'
    await writeFile(path, before)
    await chmod(path, 0o660)
    const { code, stderr } = await nunet('config set rest.port 1', { now: NOW })
    expect(code).toBe(0)
    expect(stderr).toBe(
      `Deprecated keys in ${path} were replaced by their successors: observability.log_level\n` +
        `The file as it was is kept as ${home}/${BACKUP}\n`
    )
    expect(await readFile(join(home, BACKUP), 'utf8')).toBe(before)
    expect((await stat(path)).mode & 0o777).toBe(0o660)
  })
})

test('config unset makes the default count again, and says when there was nothing to do', async () => {
  await writeFile(path, '{"rest":{"port":1},"general":{"debug":true}}')
  expect(await nunet('config unset rest.port')).toEqual({ code: 0, stdout: 'Applied changes.\n', stderr: '' })
  expect((await nunet('config get -q rest.port')).stdout).toBe('9999\n')
  expect((await nunet('config unset rest')).stdout).toBe(`Nothing to do: rest is not set in ${path}\n`)
  expect(JSON.parse(await text())).toEqual({ general: { debug: true } })
  expect(await nunet('config unset rest.prt')).toMatchObject({ code: 2, stdout: '' })
})

test.each([['key list'], ['config get'], ['config get --sources'], ['cap list'], ['key did nobody']])(
  'a question such as %s changes no file with deprecated keys',
  async (line) => {
    await writeFile(path, '{"observability":{"log_level":"WARN"}}')
    await nunet(line)
    expect(await text()).toBe('{"observability":{"log_level":"WARN"}}')
    expect(await readdir(home)).toEqual(['dms_config.json'])
  }
)

describe('run', () => {
  test('replaces deprecated keys, or tells why not, before anything else can fail', async () => {
    await writeFile(path, '{"observability":{"log_level":"WARN"}}')
    await chmod(path, 0o444)
    const refused = await nunet('run', { now: NOW })
    expect(refused).toMatchObject({ code: 66 })
    expect(refused.stderr).toContain('Warning: ')
    expect(refused.stderr).toContain(`the deprecated keys could not be replaced: ${path} is read-only\n`)
    await chmod(path, 0o644)
    expect((await nunet('run', { now: NOW })).stderr).toContain(`The file as it was is kept as ${home}/${BACKUP}\n`)
    expect(JSON.parse(await text())).toEqual({ observability: { logging: { level: 'WARN' } } })
  })
})

describe('config edit', () => {
  const environment = { EDITOR: 'ed -s' }

  /** An editor that writes one text after the other, and what it was called with. */
  function editorOf(...texts: readonly string[]) {
    const calls: (readonly string[])[] = []
    const queue = [...texts]
    const runProgram = async (command: string, args: readonly string[]): Promise<number> => {
      calls.push([command, ...args])
      const draft = args.at(-1) ?? ''
      expect((await stat(dirname(draft))).mode & 0o777).toBe(0o700)
      const next = queue.shift()
      if (next !== undefined) await writeFile(draft, next)
      return 0
    }
    return { calls, runProgram }
  }

  test('needs an editor; VISUAL comes before EDITOR', async () => {
    expect(await nunet('config edit', { environment: { EDITOR: ' ' } })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'Error: $EDITOR not set\n'
    })
    const { calls, runProgram } = editorOf()
    await nunet('config edit', { environment: { ...environment, VISUAL: 'vi' }, runProgram })
    expect(calls[0]?.[0]).toBe('vi')
  })

  test('says which program could not be run or failed, and leaves no trace', async () => {
    const failing = await nunet('config edit', { environment, runProgram: async () => 3 })
    expect(failing).toMatchObject({ code: 70, stderr: 'Error: the editor ed ended with code 3\n' })
    const missing = await nunet('config edit', { environment, runProgram: () => Promise.reject(new Error('spawn ed ENOENT')) })
    expect(missing.stderr).toBe('Error: cannot run the editor ed: spawn ed ENOENT\n')
    expect(await readdir(home)).toEqual([])
  })

  test('never puts a broken text in place of the file, and loses nothing of it', async () => {
    await writeFile(path, '{"rest":{"port":1}}')
    const broken = '{"rest":{"port":1,}}'
    const { calls, runProgram } = editorOf(broken)
    const outcome = await nunet('config edit', { environment, runProgram })
    expect(outcome).toMatchObject({ code: 2, stdout: `Text editor: ed -s\nConfig path: ${path}\n` })
    expect(outcome.stderr).toContain(`${path} is unchanged; what was written is kept as ${path}.rejected\n`)
    expect(outcome.stderr).toContain(`Error: ${path}: invalid JSON in line 1, column 19`)
    expect(await text()).toBe('{"rest":{"port":1}}')
    expect(await readFile(`${path}.rejected`, 'utf8')).toBe(broken)
    await expect(stat(dirname(calls[0]?.at(-1) ?? ''))).rejects.toThrow('ENOENT')
  })

  test('gives a broken text back to the editor on a terminal', async () => {
    const { calls, runProgram } = editorOf('{"rest":{"prt":1}}', '{"rest":{"port":2}}')
    const outcome = await nunet('config edit', { environment, runProgram, answers: ['what', 'e'] })
    expect(outcome).toMatchObject({ code: 0 })
    expect(outcome.stdout).toContain('Applied changes.\n')
    expect(outcome.stderr).toContain('did you mean "rest.port"?')
    expect(calls).toHaveLength(2)
    expect(await readFile(join(home, '.nunet/dms_config.json'), 'utf8')).toBe('{"rest":{"port":2}}')
  })

  test.each([[['s']], [[]]])('keeps a broken text aside when it is given up with %j', async (answers) => {
    await writeFile(path, '{}')
    const { runProgram } = editorOf('{')
    const outcome = await nunet('config edit', { environment, runProgram, answers })
    expect(outcome.code).toBe(answers.length === 0 ? 130 : 2)
    expect(await text()).toBe('{}')
    expect(await readFile(`${path}.rejected`, 'utf8')).toBe('{')
  })

  test('notices that the file was changed meanwhile', async () => {
    await writeFile(path, '{}')
    const outcome = await nunet('config edit', {
      environment,
      runProgram: async (_command, args) => {
        await writeFile(path, '{"rest":{"port":5}}')
        await writeFile(args.at(-1) ?? '', '{"rest":{"port":6}}')
        return 0
      }
    })
    expect(outcome).toMatchObject({ code: 65 })
    expect(outcome.stderr).toContain(`${path} was changed while it was edited`)
    expect(await text()).toBe('{"rest":{"port":5}}')
    expect(await readFile(`${path}.rejected`, 'utf8')).toBe('{"rest":{"port":6}}')
  })

  test('leaves the text with the editor when nothing can be written beside the file', async () => {
    await writeFile(join(home, 'taken'), '')
    const { calls, runProgram } = editorOf('{"rest":{"port":6}}')
    const outcome = await nunet('--config taken/dms_config.json config edit', { environment, runProgram })
    const draft = calls[0]?.at(-1) ?? ''
    expect(outcome.code).not.toBe(0)
    expect(outcome.stderr).toContain(`what was written is kept as ${draft}`)
    expect(await readFile(draft, 'utf8')).toBe('{"rest":{"port":6}}')
    await rm(dirname(draft), { recursive: true })
  })

  test('mends a broken file, which nothing else reads', async () => {
    await writeFile(path, 'broken')
    expect(await nunet('config get')).toMatchObject({ code: 2, stdout: '' })
    const { runProgram } = editorOf('{ "rest": { "port": 3 } }\n')
    expect(await nunet('config edit', { environment, runProgram })).toMatchObject({ code: 0, stderr: '' })
    expect(await text()).toBe('{ "rest": { "port": 3 } }\n')
  })

  test('writes nothing when nothing was changed', async () => {
    const { runProgram } = editorOf()
    expect(await nunet('config edit', { environment, runProgram })).toMatchObject({ code: 0, stderr: 'Nothing was changed\n' })
    expect(await readdir(home)).toEqual([])
  })
})
