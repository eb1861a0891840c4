import { expect, test } from 'vitest'
import { networkNames } from './names.ts'

test('the public network has the names of the reference', () => {
  expect(networkNames()).toEqual({
    hashTables: ['/nunet/kad/1.0.0', '/kad/1.0.0'],
    rendezvous: 'nunet-test',
    advertisements: 'nunet-dht-1',
    topicPrefix: ''
  })
})

test('no name of a private network is one of the public network', () => {
  expect(networkNames({ network: 'acme' })).toEqual({
    hashTables: ['/acme/kad/1.0.0'],
    rendezvous: 'acme',
    advertisements: 'acme-dht-1',
    topicPrefix: '/acme'
  })
})

test('each name can be given by itself; an empty one follows from the network', () => {
  const naming = { network: 'acme', dhtPrefix: '/a', rendezvous: 'b', advertisements: 'c', topicPrefix: '' }
  expect(networkNames(naming)).toEqual({
    hashTables: ['/a/kad/1.0.0'],
    rendezvous: 'b',
    advertisements: 'c',
    topicPrefix: '/acme'
  })
})
