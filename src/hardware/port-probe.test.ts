import { createSocket, type Socket } from 'node:dgram'
import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createHostPorts } from './port-probe.ts'

const open: (Server | Socket)[] = []
const ports = createHostPorts()

afterEach(async () => {
  for (const socket of open.splice(0)) await new Promise<void>((resolve) => socket.close(() => resolve()))
})

function listen(host: string): Promise<number> {
  const server = createServer()
  open.push(server)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: 0, host }, () => resolve(Number((server.address() as { port: number }).port)))
  })
}

function bind(host: string): Promise<number> {
  const socket = createSocket('udp4')
  open.push(socket)
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ port: 0, address: host }, () => resolve(socket.address().port))
  })
}

test.each(['127.0.0.1', '0.0.0.0'])('a port with a listener of TCP at %s is in use', async (host) => {
  expect(await ports.isFree(await listen(host))).toBe(false)
})

test.each(['127.0.0.1', '0.0.0.0'])('a port with a socket of UDP at %s is in use', async (host) => {
  expect(await ports.isFree(await bind(host))).toBe(false)
})

test('a port of which nobody makes use is free, again and again', async () => {
  const port = await listen('127.0.0.1')
  for (const socket of open.splice(0)) await new Promise<void>((resolve) => socket.close(() => resolve()))
  expect([await ports.isFree(port), await ports.isFree(port)]).toEqual([true, true])
})
