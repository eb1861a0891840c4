import { once } from 'node:events'
import { existsSync, lstatSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rawRequest } from '../support/gateway.ts'
import { createMachines, type TestMachine, type TestMachines } from '../support/machine.ts'

/** The interface of the program as a user has it: the owner by the socket, whatever happens at the port. */
describe('the local interface of a daemon', () => {
  let machines: TestMachines
  let machine: TestMachine
  let socketPath = ''
  const held: Socket[] = []

  beforeAll(async () => {
    machines = await createMachines()
    machine = await machines.create('node')
    socketPath = join(machine.home, 'data', 'run', `rest-${machine.restPort}.sock`)
    await machine.start()
  }, 120_000)

  afterAll(async () => {
    for (const socket of held) socket.destroy()
    await machines.dispose()
  })

  test('is a socket for its owner alone, also after the daemon was killed', async () => {
    expect(lstatSync(socketPath).mode & 0o777).toBe(0o600)
    await machine.stop('SIGKILL')
    expect(existsSync(socketPath)).toBe(true)
    const { code, stderr } = await machine.nunet(['actor', 'cmd', '/dms/node/peers/self'])
    expect([code, stderr]).toEqual([69, expect.stringContaining('is it running? (nunet run)')])
    await machine.start()
    expect((await rawRequest({ socketPath }, 'GET', '/health/ready')).status).toBe(200)
    await machine.stop()
    expect(existsSync(socketPath)).toBe(false)
    await machine.start()
  }, 120_000)

  test('answers its owner while every connection of the port is held by somebody else', async () => {
    for (let count = 0; count < 600; count += 1) {
      const socket = connect(machine.restPort, '127.0.0.1')
      socket.on('error', () => undefined) // thrown out: there is no room for all of them
      held.push(socket)
      await Promise.race([once(socket, 'connect'), once(socket, 'close')])
      socket.write('POST /api/v1/actor/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n')
    }
    await expect(rawRequest({ port: machine.restPort }, 'GET', '/health')).rejects.toThrow()
    expect(await machine.command('/dms/node/peers/self')).toMatchObject({ did: machine.dms.did })
    const { stdout } = await machine.nunet(['events', '--json'])
    expect(stdout).toMatch(/"type":"executor"/)
  }, 120_000)
})
