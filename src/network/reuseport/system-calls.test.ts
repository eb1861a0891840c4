import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { requirement } from '../../testing/index.ts'
import { loadPortSharing, type PortSharing } from './system-calls.ts'

const loaded = await loadPortSharing()
const portSharing = await requirement('port-sharing', async () => loaded)

const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

async function listening(sharing: PortSharing, host: string): Promise<number> {
  const server = createServer((socket) => socket.end())
  servers.push(server)
  server.listen({ fd: sharing.listen({ host, port: 0 }) })
  await once(server, 'listening')
  return portOf(server)
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

test.each([
  ['darwin', 'arm64'],
  ['linux', 'ia32'],
  ['win32', 'x64']
])('ports cannot be shared on %s %s, and it says so', async (platform, architecture) => {
  const { available, ...rest } = await loadPortSharing(platform as NodeJS.Platform, architecture as NodeJS.Architecture)
  expect(available).toBe(false)
  expect(rest).toMatchObject({ reason: `only Linux on x86-64 and arm64 is supported, this is ${platform} on ${architecture}` })
})

describe.skipIf(!portSharing.available).each(['127.0.0.1', '::1'])(portSharing.title('a shared port of %s'), (host) => {
  const sharing = (): PortSharing => {
    if (!loaded.available) throw new Error(loaded.reason)
    return loaded.sharing
  }

  test('is refused where somebody listens already, and leaves no descriptor open', async () => {
    const port = await listening(sharing(), host)
    const plain = createServer().listen(0, host)
    servers.push(plain)
    await once(plain, 'listening')
    const before = descriptors()
    for (const taken of [port, portOf(plain)]) {
      expect(() => sharing().listen({ host, port: taken })).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    }
    expect(() => sharing().bind({ host, port: portOf(plain) })).toThrow(/^bind EADDRINUSE .*:\d+$/)
    expect(() => sharing().bind({ host: 'nowhere', port: 1 })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(descriptors()).toBe(before)
  })

  test('is the port that the other side sees of a dial', async () => {
    const port = await listening(sharing(), host)
    const other = createServer((socket) => socket.end(String(socket.remotePort))).listen(0, host)
    servers.push(other)
    await once(other, 'listening')
    const socket = connect(options(sharing().bind({ host, port }), host, portOf(other)))
    const [seen] = (await once(socket, 'data')) as [Buffer]
    expect(Number(seen.toString())).toBe(port)
    socket.destroy()
    await once(socket, 'close')
  })

  test('fails like any dial where nobody listens, and closes its descriptor', async () => {
    const port = await listening(sharing(), host)
    const before = descriptors()
    const socket = connect(options(sharing().bind({ host, port }), host, 1))
    await expect(once(socket, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(descriptors()).toBe(before)
  })
})

/** `net.connect` takes the options of its socket too, which the types do not say. */
function options(fd: number, host: string, port: number): { host: string; port: number } {
  return { ...{ fd, manualStart: true }, host, port }
}
