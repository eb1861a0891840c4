import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { handleOf, handleToJson } from '../actor/index.ts'
import { encodeGoJson } from '../base/index.ts'
import { generateKeyPair } from '../identity/index.ts'
import { createClient } from './index.ts'

let root = ''
let path = ''
let tcp = { host: '127.0.0.1', port: 0 }
const servers: Server[] = []

/** A node that tells its own handle. */
async function serve(name: string, where: string | number): Promise<Server> {
  const key = generateKeyPair()
  const handle = handleOf(key, key.did, name, 'root')
  const server = createServer((_incoming, outgoing) => outgoing.end(encodeGoJson(handleToJson(handle))))
  await new Promise<void>((resolve) => server.listen(where, () => resolve()))
  servers.push(server)
  return server
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'client-places-'))
  path = join(root, 'dms.sock')
  tcp = { host: 'localhost', port: ((await serve('port', 0)).address() as AddressInfo).port }
  await serve('socket', path)
})

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
  rmSync(root, { recursive: true })
})

async function askedAt(places: Parameters<typeof createClient>[0]): Promise<string> {
  return (await createClient(places).handle()).host
}

describe('the port is used when the socket', () => {
  test('is not there', async () => {
    expect(await askedAt({ tcp, socket: join(root, 'none.sock') })).toBe('port')
  })

  test('lies where others could have put it', async () => {
    chmodSync(root, 0o777)
    expect(await askedAt({ tcp, socket: path })).toBe('port')
  })

  test('is a link, or lies behind one', async () => {
    symlinkSync(path, join(root, 'link.sock'))
    expect(await askedAt({ tcp, socket: join(root, 'link.sock') })).toBe('port')
    mkdirSync(join(root, 'place'))
    symlinkSync(root, join(root, 'place', 'link'))
    expect(await askedAt({ tcp, socket: join(root, 'place', 'link', 'dms.sock') })).toBe('port')
  })

  test('is a file', async () => {
    writeFileSync(join(root, 'file.sock'), '')
    expect(await askedAt({ tcp, socket: join(root, 'file.sock') })).toBe('port')
  })

  test('was left by a daemon that was killed', async () => {
    renameSync(path, join(root, 'left.sock'))
    await new Promise((resolve) => servers.pop()?.close(resolve))
    expect(await askedAt({ tcp, socket: join(root, 'left.sock') })).toBe('port')
  })
})

test('the socket comes first when only this user could have made it', async () => {
  expect(await askedAt({ tcp, socket: path })).toBe('socket')
})

test('a socket that was named alone is used wherever it is, and its absence says so', async () => {
  chmodSync(root, 0o777)
  expect(await askedAt({ socket: path })).toBe('socket')
  const missing = join(root, 'none.sock')
  await expect(askedAt({ socket: missing })).rejects.toMatchObject({
    code: 'CLIENT_UNAVAILABLE',
    message: `cannot reach the DMS at unix:${missing}: is it running? (nunet run)`
  })
})
