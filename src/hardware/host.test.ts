import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { hostName, readInterfaces } from './index.ts'

test('the interfaces of this machine come with their addresses, in the order of their names', () => {
  const found = readInterfaces()
  const names = found.map(({ name }) => name)
  expect(names).toEqual(Object.keys(networkInterfaces()).sort())
  for (const { addresses, mac } of found) {
    for (const address of addresses) expect(address).toMatch(/^[0-9a-f.:]+(%\w+)?\/\d+$/)
    expect(mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)
  }
  expect(hostName()).not.toBe('')
})
