import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/index.ts'
import { describeDocker } from './describe.ts'

let directory = ''
let server: Server | undefined

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'docker-'))
})
afterEach(async () => {
  await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())))
  server = undefined
  await rm(directory, { recursive: true })
})

async function answer(status: number, info: unknown): Promise<Awaited<ReturnType<typeof describeDocker>>> {
  const socket = join(directory, 'docker.sock')
  const listening = createServer((request, response) => {
    if (request.url === '/_ping') return void response.setHeader('api-version', '1.41').end('OK')
    response.statusCode = status
    response.end(typeof info === 'string' ? info : JSON.stringify(info))
  })
  server = listening
  await new Promise<void>((resolve) => listening.listen(socket, resolve))
  return await describeDocker(() => socket, systemClock)
}

describe('a Docker daemon', () => {
  test('that is not there is a reason', async () => {
    const found = await describeDocker(() => join(directory, 'none.sock'), systemClock)
    expect(found).toMatchObject({ available: false, reason: expect.stringContaining('does not answer') as string })
  })

  test.each([
    [500, { message: 'no' }],
    [200, 'not JSON'],
    [200, []]
  ])('that answers %i %j is a reason', async (status, info) => {
    expect(await answer(status, info)).toMatchObject({ available: false })
  })

  test('that says nothing of use is described by empty texts', async () => {
    expect(await answer(200, { ServerVersion: 7, SecurityOptions: {}, DriverStatus: ['x', [1]] })).toEqual({
      available: true,
      version: '',
      storageDriver: '',
      backingFileSystem: '',
      isRootless: false,
      hasUserNamespaces: false,
      cgroupVersion: ''
    })
  })

  test('is described by what it says', async () => {
    const info = {
      ServerVersion: '20.10.24',
      Driver: 'overlay2',
      DriverStatus: [
        ['Backing Filesystem', 'extfs'],
        ['Supports d_type', 'true']
      ],
      SecurityOptions: ['name=seccomp,profile=default', 'name=rootless'],
      CgroupVersion: '2'
    }
    expect(await answer(200, info)).toEqual({
      available: true,
      version: '20.10.24',
      storageDriver: 'overlay2',
      backingFileSystem: 'extfs',
      isRootless: true,
      hasUserNamespaces: false,
      cgroupVersion: '2'
    })
  })
})
