import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { millis, silentLogger, systemClock, utf8 } from '../../base/index.ts'
import type { StartProgress } from '../executor.ts'
import { toHandle } from '../handle.ts'
import { createDockerClient } from './client.ts'
import { createDockerExecutor, defaultDockerSocket } from './index.ts'

const HANDLE = toHandle('docker', 'a'.repeat(64))

function frame(text: string): Buffer {
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
  header.writeUInt32BE(text.length, 4)
  return Buffer.concat([header, utf8(text)])
}

function state(status: string, exitCode = 0): string {
  return JSON.stringify({
    Id: 'a'.repeat(64),
    State: { Status: status, ExitCode: exitCode, OOMKilled: false },
    Config: { Labels: {} }
  })
}

describe('a daemon that behaves badly', () => {
  let directory: string
  let socketPath: string
  let server: Server | undefined

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dms-docker-'))
    socketPath = join(directory, 'docker.sock')
  })

  afterEach(async () => {
    await close()
    await rm(directory, { recursive: true })
  })

  async function close(): Promise<void> {
    server?.closeAllConnections()
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)))
    server = undefined
  }

  async function serve(listener: RequestListener, version = '1.41'): Promise<void> {
    server = createServer((request, response) => {
      response.setHeader('api-version', version)
      if (request.url === '/_ping') response.end('OK')
      else listener(request, response)
    })
    await new Promise((resolve) => server?.listen(socketPath, () => resolve(undefined)))
  }

  const open = () => createDockerExecutor({ socketPath, nodeId: 'node', clock: systemClock, log: silentLogger })

  test('is not available without a socket, with the reason', async () => {
    const executor = createDockerExecutor({
      socketPath: join(directory, 'none'),
      nodeId: 'n',
      clock: systemClock,
      log: silentLogger
    })
    expect(await executor.probe()).toEqual({ available: false, reason: expect.stringContaining('ENOENT') as unknown })
    await expect(executor.list()).rejects.toMatchObject({ code: 'EXECUTOR_UNAVAILABLE', kind: 'unavailable' })
  })

  test('is not available when it is too old', async () => {
    await serve((_, response) => response.end(), '1.40')
    expect(await open().probe()).toEqual({ available: false, reason: expect.stringContaining('at least 1.41') as unknown })
  })

  test('is not available when it runs no Linux containers', async () => {
    await serve((_, response) => response.end('{"Os":"windows","Version":"1"}'))
    expect(await open().probe()).toEqual({ available: false, reason: expect.stringContaining('windows') as unknown })
  })

  test('is spoken to in its own version, but in none that is newer than known', async () => {
    const paths: (string | undefined)[] = []
    await serve(({ url }, response) => {
      paths.push(url)
      response.end('{"Os":"linux","Version":"99"}')
    }, '1.99')
    expect(await open().probe()).toEqual({ available: true, version: '99, API 1.51' })
    expect(paths).toEqual(['/v1.51/version'])
  })

  test('cannot make the client read without end', async () => {
    await serve((_, response) => {
      const part = Buffer.alloc(1024 * 1024, 32)
      const more = (): void => {
        while (!response.destroyed && response.write(part));
      }
      response.on('drain', more)
      more()
    })
    await expect(open().list()).rejects.toThrow('larger than 16777216 bytes')
  })

  test('cannot make the client wait without end', async () => {
    await serve(() => undefined)
    const client = createDockerClient(() => socketPath, systemClock)
    const call = { method: 'GET', path: '/containers/json', limit: millis(50) } as const
    await expect(client.call(call)).rejects.toMatchObject({ kind: 'timeout' })
    await expect(client.stream(call, () => new Error('refused') as never)).rejects.toMatchObject({ kind: 'timeout' })
  })

  test('whose answer is no JSON gives an error of this driver', async () => {
    await serve((_, response) => response.writeHead(500).end('<html>'))
    await expect(open().list()).rejects.toMatchObject({
      code: 'EXECUTOR_FAILED',
      message: expect.stringContaining('status 500') as unknown
    })
  })

  test('that goes away during a wait is waited for', async () => {
    await serve(({ url }, response) => {
      if (url?.endsWith('/wait')) setImmediate(() => response.writeHead(200).write(' ', () => response.destroy()))
      else response.end(state('running'))
    })
    const executor = open()
    const waiting = executor.wait(HANDLE)
    await close()
    await serve((_, response) => response.end(state('exited', 7)))
    expect(await waiting).toEqual({ type: 'exited', code: 7 })
  })

  test('that goes away while output is followed gives every byte once', async () => {
    let reads = 0
    await serve(({ url }, response) => {
      if (!url?.includes('/logs')) {
        response.end(state(reads < 2 ? 'running' : 'exited'))
        return
      }
      reads += 1
      if (reads === 1) response.write(frame('one\ntw'), () => response.destroy())
      else response.end(Buffer.concat([frame('one\n'), frame('two\n')]))
    })
    let text = ''
    for await (const { data } of open().logs(HANDLE, { follow: true })) text += Buffer.from(data).toString('utf8')
    expect(text).toBe('one\ntwo\n')
    expect(reads).toBe(2)
  })

  test('gets a removal again while another one is under way', async () => {
    let inspections = 0
    await serve((request, response) => {
      if (request.method === 'DELETE') response.writeHead(409).end('{"message":"removal is already in progress"}')
      else if (inspections++ < 1) response.end(state('removing'))
      else response.writeHead(404).end('{"message":"No such container"}')
    })
    await open().remove(HANDLE)
    expect(inspections).toBe(2)
  })

  describe('a pull that stalls', () => {
    const workload = {
      id: 'e_n.a',
      spec: { image: 'ghcr.io/a/b:1' },
      limits: { cpuCores: 1, memory: 2 ** 25, disk: 1, pids: 1 },
      directory: '/tmp',
      allowPrivileged: false,
      ports: []
    } as const

    const patience = (pullLimit: number) =>
      createDockerExecutor({
        socketPath,
        nodeId: 'node',
        clock: systemClock,
        log: silentLogger,
        pullLimit: millis(pullLimit),
        pullStallLimit: millis(300)
      })

    test('is given up with a clear error once there is no time for another attempt, also when Docker repeats itself', async () => {
      let pulls = 0
      await serve((request, response) => {
        if (request.url?.includes('/images/create') !== true) return response.writeHead(404).end('{"message":"No such image"}')
        pulls += 1
        const repeat = setInterval(
          () => response.write('{"status":"Downloading","id":"a","progressDetail":{"current":5,"total":10}}\n'),
          50
        )
        return response.once('close', () => clearInterval(repeat))
      })
      await expect(patience(1200).start(workload as never)).rejects.toMatchObject({
        kind: 'timeout',
        message: expect.stringMatching(/^pulling ghcr\.io\/a\/b:1: nothing came for 300 ms, at attempt [23]$/) as unknown
      })
      expect(pulls).toBeGreaterThan(1)
    })

    test('is begun anew, and the job gets its container', async () => {
      let pulls = 0
      await serve((request, response) => {
        const url = request.url ?? ''
        if (url.includes('/images/create')) {
          pulls += 1
          response.write('{"status":"Waiting","id":"a"}\n')
          if (pulls > 1) response.end()
        } else if (url.includes('/containers/create')) response.writeHead(201).end('{}')
        else if (url.endsWith('/start')) response.writeHead(204).end()
        else if (pulls > 1 && url.includes('/containers/')) response.end(ownState)
        else response.writeHead(404).end('{"message":"none"}')
      })
      const ownState = state('created').replace('"Labels":{}', '"Labels":{"nunet.node":"node","nunet.allocation":"e_n.a"}')
      expect(await patience(10_000).start(workload as never)).toBe(HANDLE)
      expect(pulls).toBe(2)
    })
  })

  test('gets the credentials of the registry with the pull and nothing else', async () => {
    const seen: (string | undefined)[] = []
    await serve((request, response) => {
      const header = request.headers['x-registry-auth']
      if (request.url?.includes('/images/create')) {
        seen.push(request.url, Buffer.from(String(header), 'base64url').toString('utf8'))
        response.end(
          '{"status":"Downloading","id":"a","progressDetail":{"current":5,"total":10}}\n{"errorDetail":{"message":"denied"},"error":"denied: no access"}\n'
        )
        return
      }
      expect(header).toBeUndefined()
      response.writeHead(404).end('{"message":"No such image"}')
    })
    const steps: StartProgress[] = []
    const executor = createDockerExecutor({
      socketPath,
      nodeId: 'node',
      clock: systemClock,
      log: silentLogger
    })
    const workload = {
      id: 'e_n.a',
      spec: { image: 'ghcr.io/a/b:1', registry_auth: { username: 'u', password: 'hunter2' } },
      limits: { cpuCores: 1, memory: 2 ** 25, disk: 1, pids: 1 },
      directory: '/tmp',
      allowPrivileged: false,
      ports: []
    }
    const failure = await executor
      .start(workload as never, { onProgress: (step) => steps.push(step) })
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'EXECUTOR_IMAGE_NOT_FOUND',
      message: expect.stringContaining('denied: no access') as unknown
    })
    expect(String(failure)).not.toContain('hunter2')
    expect(steps).toEqual([{ step: 'pull', done: 5, total: 10 }])
    expect(seen).toEqual([
      '/v1.41/images/create?fromImage=ghcr.io%2Fa%2Fb&tag=1',
      '{"username":"u","password":"hunter2","serveraddress":"ghcr.io"}'
    ])
  })
})

describe('the address of the daemon', () => {
  test('that cannot be used makes the executor unavailable and nothing else', async () => {
    vi.stubEnv('DOCKER_HOST', 'tcp://10.0.0.1:2375')
    try {
      const executor = createDockerExecutor({ nodeId: 'n', clock: systemClock, log: silentLogger })
      expect(await executor.probe()).toEqual({
        available: false,
        reason: expect.stringContaining('only unix:///path') as unknown
      })
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('is refused when it is not a socket of this machine', () => {
    expect(() => defaultDockerSocket({ DOCKER_HOST: 'tcp://10.0.0.1:2375' })).toThrow('only unix:///path')
  })

  test('is that of DOCKER_HOST, or the usual one', () => {
    expect(defaultDockerSocket({ DOCKER_HOST: 'unix:///run/user/1000/docker.sock' })).toBe('/run/user/1000/docker.sock')
    expect(defaultDockerSocket({})).toBe('/var/run/docker.sock')
  })
})
