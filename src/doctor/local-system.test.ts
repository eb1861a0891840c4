import { createSocket } from 'node:dgram'
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLocalSystem } from './local-system.ts'

const system = createLocalSystem()
let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'doctor-'))
})
afterEach(() => rm(directory, { recursive: true }))

describe('what is not there', () => {
  test('is nothing, not an error', async () => {
    const path = join(directory, 'none')
    expect(await system.text(path)).toBeUndefined()
    expect(await system.names(path)).toBeUndefined()
    expect(await system.status(path)).toBeUndefined()
    expect(await system.space(path)).toBeUndefined()
    expect(await system.mayReadAndWrite(path)).toBe(false)
    expect(await system.run('no-such-program-here', [])).toBeUndefined()
    expect(await system.get({ host: '127.0.0.1', port: 1 }, '/')).toBeUndefined()
    expect(await system.tryListen({ protocol: 'tcp', host: '192.0.2.1', port: 4000 })).toBe('no such address')
  })
})

describe('files', () => {
  test('are read whole, also those of the kernel, and at most a mebibyte of others', async () => {
    expect(await system.text('/proc/self/status')).toContain('CapEff:')
    await writeFile(join(directory, 'big'), 'x'.repeat(2 ** 20 + 5))
    expect((await system.text(join(directory, 'big')))?.length).toBe(2 ** 20)
  })

  test('are described through links', async () => {
    const path = join(directory, 'a')
    await writeFile(path, '')
    await chmod(path, 0o640)
    await symlink(path, join(directory, 'b'))
    expect(await system.status(join(directory, 'b'))).toMatchObject({ type: 'file', mode: 0o640, uid: system.process.uid })
    expect(await system.names(directory)).toEqual(['a', 'b'])
    expect((await system.space(directory))?.total).toBeGreaterThan(0)
    expect(await system.mayWrite(directory)).toBe(true)
  })
})

describe('programs', () => {
  test('run without our environment, and say how they ended', async () => {
    process.env['DOCTOR_SECRET'] = 'x'
    const result = await system.run('sh', ['-c', 'echo "$DOCTOR_SECRET"; exit 3'])
    delete process.env['DOCTOR_SECRET']
    expect(result).toEqual({ code: 3, stdout: '\n' })
  })
})

describe('ports', () => {
  test('are free or in use', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await system.tryListen({ protocol: 'tcp', host: '127.0.0.1', port })).toBe('in use')
    await new Promise((resolve) => server.close(resolve))
    expect(await system.tryListen({ protocol: 'tcp', host: '127.0.0.1', port })).toBe('free')
  })

  test('of UDP are free or in use', async () => {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    const { port } = socket.address()
    expect(await system.tryListen({ protocol: 'udp', host: '127.0.0.1', port })).toBe('in use')
    expect(await system.tryListen({ protocol: 'tcp', host: '127.0.0.1', port })).toBe('free')
    await new Promise<void>((resolve) => socket.close(() => resolve()))
    expect(await system.tryListen({ protocol: 'udp', host: '127.0.0.1', port })).toBe('free')
  })

  test('are asked by HTTP, and an endless answer is none', async () => {
    const server = createHttpServer((request, response) => {
      response.end(request.url === '/long' ? 'x'.repeat(2 ** 21) : 'yes')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await system.get({ host: '127.0.0.1', port }, '/')).toEqual({ status: 200, text: 'yes' })
    expect(await system.get({ host: '127.0.0.1', port }, '/long')).toBeUndefined()
    await new Promise((resolve) => server.close(resolve))
  })
})

test('processes live or do not', () => {
  expect(system.isAlive(process.pid)).toBe(true)
  expect(system.isAlive(2 ** 22 + 1)).toBe(false)
})
