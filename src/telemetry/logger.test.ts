import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, createSecret, millis } from '../base/index.ts'
import { parseLogLevel } from './level.ts'
import { createLogger, type Log, type LoggerOptions } from './logger.ts'

let directory: string
let file: string
let now: number
let lines: string[]
let log: Log

const clock: Clock = { now: () => millis(now), sleep: () => Promise.resolve() }

function create(options: Partial<LoggerOptions> = {}): Log {
  log = createLogger({ level: 'info', file, clock, console: { write: (line: string) => lines.push(line) }, ...options })
  return log
}

async function records(): Promise<readonly unknown[]> {
  return (await readFile(file, 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line))
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dms-log-'))
  file = join(directory, 'dms.jsonl')
  now = 1_700_000_000_123
  lines = []
})

afterEach(async () => {
  await log.service.stop()
  await rm(directory, { recursive: true, force: true })
})

describe('the log', () => {
  test('does not start when its file cannot be opened, saying which', async () => {
    await mkdir(file)
    const { service } = create()
    await expect(service.start()).rejects.toMatchObject({
      code: 'TELEMETRY_LOG_FILE',
      kind: 'unavailable',
      details: { path: file }
    })
    await rm(file, { recursive: true })
    await service.start()
  })

  test('writes no secret to file or console', async () => {
    const { logger, service } = create({ level: 'debug' })
    await service.start()
    logger
      .child({ api_key: 'hunter2' })
      .debug('unlock', { passphrase: 'hunter2', key: createSecret('hunter2'), deep: { token: 'hunter2' } })
    expect(await readFile(file, 'utf8')).not.toContain('hunter2')
    expect(lines.join('')).not.toContain('hunter2')
    expect(lines).toHaveLength(1)
  })

  test('leaves out lines below its level, also in children that were made before the level changed', async () => {
    const { logger, service, setLevel } = create()
    await service.start()
    const child = logger.child({ logger: 'actor' })
    child.debug('unheard')
    setLevel('debug')
    child.debug('heard')
    setLevel('error')
    child.warn('unheard')
    child.error('heard')
    expect(await records()).toMatchObject([
      { msg: 'heard', level: 'DEBUG' },
      { msg: 'heard', level: 'ERROR' }
    ])
  })

  test('keeps the last events of a quiet log too, as clean as what is written, and DEBUG only while it is written', () => {
    const { logger, level, setLevel, recent } = create({ level: 'error' })
    logger.debug('unheard')
    logger.info('quiet', { passphrase: 'hunter2' })
    setLevel('debug')
    logger.child({ logger: 'actor' }).debug('heard')
    expect(level()).toBe('debug')
    expect(recent()).toEqual([
      { at: now, level: 'info', message: 'quiet', fields: { passphrase: '«secret»' } },
      { at: now, level: 'debug', message: 'heard', fields: { logger: 'actor' } }
    ])
    expect(lines.join()).not.toContain('quiet')
  })

  test('writes JSON lines with the fields that clients filter on', async () => {
    const { logger, service } = create({ did: 'did:key:z6Mk' })
    await service.start()
    logger
      .child({ logger: 'dms', orchestratorID: 'o1' })
      .child({ allocationID: 'o1_a' })
      .warn('100% of %s lost', {
        behavior: '/dms/x',
        error: new RangeError('too far'),
        did: 'did:key:other'
      })
    const [record] = await records()
    expect(record).toEqual({
      timestamp: '2023-11-14T22:13:20.123Z',
      level: 'WARN',
      msg: '100% of %s lost',
      logger: 'dms',
      orchestratorID: 'o1',
      allocationID: 'o1_a',
      behavior: '/dms/x',
      error: 'too far',
      did: 'did:key:other',
      stack_trace: expect.stringContaining('RangeError: too far') as unknown
    })
    expect(lines).toEqual([
      '2023-11-14T22:13:20.123Z WARN  100% of %s lost logger=dms orchestratorID=o1 allocationID=o1_a behavior=/dms/x error="too far" did=did:key:other\n'
    ])
    logger.info('plain')
    expect((await records())[1]).toEqual({
      timestamp: '2023-11-14T22:13:20.123Z',
      level: 'INFO',
      msg: 'plain',
      did: 'did:key:z6Mk'
    })
  })

  test('has every name once in a line, the latest value of it', async () => {
    const { logger, service } = create()
    await service.start()
    logger.child({ peer: 'a' }).child({ peer: 'b' }).info('x', { peer: 'c', msg: 'y' })
    const text = await readFile(file, 'utf8')
    expect(text.match(/"peer"/g)).toHaveLength(1)
    expect(text.match(/"msg"/g)).toHaveLength(1)
    expect(JSON.parse(text)).toMatchObject({ peer: 'c', msg: 'x', msg_: 'y' })
  })

  test('writes to the console only before start and after stop', async () => {
    const { logger, service } = create()
    logger.info('before')
    await service.start()
    logger.info('between')
    await service.stop()
    await service.stop()
    logger.info('after')
    expect(await records()).toMatchObject([{ msg: 'between' }])
    expect(lines).toHaveLength(3)
  })

  test('needs neither file nor console', async () => {
    log = createLogger({ level: 'debug' })
    const { logger, service } = log
    await service.start()
    expect(() => logger.error('nobody hears')).not.toThrow()
  })

  test('puts full files aside', async () => {
    const { logger, service } = create({ rotation: { maxSizeMb: 0.001, maxBackups: 1, maxAgeDays: 1 } })
    await service.start()
    for (let count = 0; count < 40; count += 1) logger.info(`line ${count} ${'x'.repeat(100)}`)
    expect((await readFile(file, 'utf8')).length).toBeLessThanOrEqual(1049)
    expect((await records()).at(-1)).toMatchObject({ msg: expect.stringMatching(/^line 39 /) as unknown })
  })

  test('goes on when its file cannot be written and says so once a minute, with what was lost', async () => {
    const { logger, service } = create({ rotation: { maxSizeMb: 0.0001, maxBackups: 1, maxAgeDays: 1 } })
    await service.start()
    logger.info('fits')
    await rm(directory, { recursive: true }) // the next line cannot be put into a new file: the old name is gone
    await writeFile(directory, 'in the way')
    logger.info('x'.repeat(200))
    logger.info('y'.repeat(200))
    now += 60_000
    logger.info('z'.repeat(200))
    const complaints = lines.filter((line) => line.includes('the log file cannot be written'))
    expect(complaints).toHaveLength(2)
    expect(complaints[0]).toContain('lost=1')
    expect(complaints[1]).toContain('lost=2')
    expect(lines).toHaveLength(6)
  })
})

describe('parseLogLevel', () => {
  test('knows the four levels in any case and no other', () => {
    expect(['DEBUG', 'Info', 'warn', 'ERROR'].map(parseLogLevel)).toEqual(['debug', 'info', 'warn', 'error'])
    expect(['', 'trace', 'constructor', 'fatal'].map(parseLogLevel)).toEqual([undefined, undefined, undefined, undefined])
  })
})
