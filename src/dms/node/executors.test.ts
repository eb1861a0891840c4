import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { millis, seconds, silentLogger, systemClock } from '../../base/index.ts'
import { createDockerExecutor } from '../../executor/docker/index.ts'
import type { Executor, Probe } from '../../executor/index.ts'
import { createVirtualClock } from '../../testing/index.ts'
import { createExecutorWatch } from './executors.ts'

/** An executor of which only the probe is used here. */
function probed(probe: () => Promise<Probe>): Executor {
  return { probe } as Partial<Executor> as Executor
}

const never = (): Promise<Probe> => new Promise(() => undefined)

describe('the watch over executors', () => {
  test('gives up one that never answers, also when it ignores its signal, and knows the others in time', async () => {
    const clock = createVirtualClock()
    const works = probed(async () => ({ available: true, version: '1' }))
    const executors = new Map([
      ['hung', probed(never)],
      ['stuck', probed(never)],
      ['wasm', works]
    ])
    const watch = createExecutorWatch({ executors, clock, log: silentLogger })
    const begin = clock.now()
    await clock.run(watch.start())
    expect(clock.now() - begin).toBe(5000)
    expect([...watch.available()]).toEqual(['wasm'])
    expect(watch.reasons().get('hung')).toBe('it does not answer within 5 s')
    await watch.stop()
  })

  test('is stopped at once while a probe hangs, and tells nobody that it was cut off', async () => {
    const clock = createVirtualClock()
    const changes: string[] = []
    let isHung = false
    const executor = probed(() => (isHung ? never() : Promise.resolve({ available: true, version: '1' })))
    const watch = createExecutorWatch({
      executors: new Map([['docker', executor]]),
      clock,
      log: silentLogger,
      onChange: (kind, reason) => changes.push(`${kind} ${reason ?? 'came'}`)
    })
    await watch.start()
    isHung = true
    await clock.run(clock.sleep(seconds(21)))
    await watch.stop()
    await clock.run(clock.sleep(seconds(10)))
    expect(changes).toEqual(['docker came'])
    expect([...watch.available()]).toEqual(['docker'])
  })

  test('notices within half a minute that an executor comes and goes', async () => {
    const clock = createVirtualClock()
    const changes: string[] = []
    let state: Probe = { available: false, reason: 'not installed' }
    const watch = createExecutorWatch({
      executors: new Map([['docker', probed(() => Promise.resolve(state))]]),
      clock,
      log: silentLogger,
      onChange: (kind, reason) => changes.push(`${kind} ${reason ?? 'came'}`)
    })
    await watch.start()
    expect(watch.reasons().get('docker')).toBe('not installed')
    state = { available: true, version: '29' }
    await clock.run(clock.sleep(seconds(30)))
    expect([...watch.available()]).toEqual(['docker'])
    state = { available: false, reason: 'gone' }
    await clock.run(clock.sleep(seconds(30)))
    expect([...watch.available()]).toEqual([])
    expect(changes).toEqual(['docker came', 'docker gone'])
    await watch.stop()
  })
})

describe('a Docker daemon behind a real socket', () => {
  let directory: string
  let socketPath: string
  const closers: (() => Promise<void>)[] = []

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dms-watch-'))
    socketPath = join(directory, 'docker.sock')
  })

  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
    await rm(directory, { recursive: true })
  })

  async function listen(server: Server): Promise<() => Promise<void>> {
    const sockets = new Set<Socket>()
    server.on('connection', (socket) => sockets.add(socket))
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    const close = async (): Promise<void> => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve)) // a second close says that there was a first, which is fine
    }
    closers.push(close)
    return close
  }

  /** Probes each 200 ms of real time: the watch's clock runs a hundred times as fast. */
  const fast = {
    now: systemClock.now,
    sleep: (time: number, options?: { readonly signal?: AbortSignal }) => systemClock.sleep(millis(time / 100), options)
  }

  test('that accepts and never answers counts as gone, and is back when it answers', async () => {
    const docker = createDockerExecutor({ socketPath, nodeId: 'node', clock: systemClock, log: silentLogger })
    const watch = createExecutorWatch({ executors: new Map([['docker', docker]]), clock: fast, log: silentLogger })
    const closeHung = await listen(createServer())
    await watch.start()
    try {
      expect(watch.reasons().get('docker')).toBe('it does not answer within 5 s')
      await closeHung()
      await listen(
        createHttpServer((request, response) => {
          response.setHeader('api-version', '1.45')
          response.end(request.url === '/_ping' ? 'OK' : '{"Os":"linux","Version":"29"}')
        })
      )
      await expect.poll(() => [...watch.available()], { timeout: 5000 }).toEqual(['docker'])
    } finally {
      await watch.stop()
    }
  })
})
