import { expect, test } from 'vitest'
import { loadConfig, restPlaces } from './index.ts'

async function placesOf(environment: Readonly<Record<string, string>>): Promise<ReturnType<typeof restPlaces>> {
  const { config } = await loadConfig({ environment, cwd: '/nowhere', home: '/home/user' })
  return restPlaces(config)
}

const tcp = { host: '127.0.0.1', port: 9999 }

test('by default there is a socket in the data directory, named after the port', async () => {
  expect(await placesOf({})).toEqual({ tcp, socket: '/home/user/nunet/data/run/rest-9999.sock', isSocketChosen: false })
  const { socket } = await placesOf({ DMS_REST_PORT: '8080', DMS_GENERAL_DATA_DIR: '/srv/data' })
  expect(socket).toBe('/srv/data/run/rest-8080.sock')
})

test('the owner may name another one, or none', async () => {
  expect(await placesOf({ DMS_REST_SOCKET: '/run/nunet/dms.sock' })).toEqual({
    tcp,
    socket: '/run/nunet/dms.sock',
    isSocketChosen: true
  })
  expect(await placesOf({ DMS_REST_SOCKET: 'none' })).toEqual({ tcp, isSocketChosen: false })
})

test('an address that is a socket leaves no port', async () => {
  expect(await placesOf({ DMS_REST_ADDR: 'unix:/run/nunet/dms.sock' })).toEqual({
    socket: '/run/nunet/dms.sock',
    isSocketChosen: true
  })
})
