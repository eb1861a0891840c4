import { mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type JsonValue, mebibytes, silentLogger } from '../base/index.ts'
import { createOutputStore, createVolumes, type Volumes } from './index.ts'
import { createLocalVolumes } from './local/index.ts'
import type { VolumeProvider } from './volume.ts'

const ALICE = 'did:key:alice'

describe('the volumes of an allocation', () => {
  let place: string

  beforeEach(async () => {
    place = await realpath(await mkdtemp(join(tmpdir(), 'nunet-volumes-')))
  })

  afterEach(async () => {
    await rm(place, { recursive: true })
  })

  function local(): VolumeProvider {
    const quotas = { volume: mebibytes(16), perOwner: mebibytes(160), total: mebibytes(160) }
    return createLocalVolumes({
      directory: join(place, 'named'),
      hostPaths: [],
      hidden: [],
      quotas,
      enforcement: 'measured',
      log: silentLogger
    })
  }

  function open(...others: readonly VolumeProvider[]): Volumes {
    return createVolumes({
      providers: [local(), ...others],
      directory: join(place, 'jobs'),
      outputs: createOutputStore({ directory: join(place, 'outputs'), limit: mebibytes(1), total: mebibytes(2) })
    })
  }

  const volume = (src: string, more: object = {}): JsonValue => ({
    type: 'local',
    src,
    mount_destination: `/mnt/${src}`,
    ...more
  })
  const allocation = (id: string, ...volumes: readonly JsonValue[]) => ({ id, owner: ALICE, volumes, limit: mebibytes(64) })

  test.each([
    [[volume('a'), volume('b', { src: '../b' })], 'volume.1.src: '],
    [[volume('a', { type: 'tape' })], 'volume.0.type: "tape" is not one of local'],
    [[volume('a', { type: undefined })], 'volume.0.type: is missing'],
    [[volume('a', { mount_destination: 'data' })], 'volume.0.mount_destination: '],
    [[volume('a', { mount_destination: '/data/../etc' })], 'volume.0.mount_destination: '],
    [[volume('a', { mount_destination: '/' })], 'volume.0.mount_destination: '],
    [[volume('a', { mount_destination: '/proc/self' })], 'volume.0.mount_destination: must not be /proc'],
    [[volume('a'), volume('b', { mount_destination: '/mnt/a' })], 'volume.1.mount_destination: /mnt/a is that of another'],
    [[volume('a', { read_only: 'yes' })], 'volume.0.read_only: '],
    [['a'], 'volume.0.type: a volume must be a map'],
    [Array.from({ length: 33 }, (_, index) => volume(`v${index}`)), 'volume: has 33 items']
  ] as const)('%j are refused by name', async (volumes, message) => {
    expect(() => open().check(volumes)).toThrow(message)
    await expect(open().prepare(allocation('job', ...volumes))).rejects.toThrow(message)
    expect(await readdir(place)).toEqual([])
  })

  test('are mounts for an executor, read-only where asked', async () => {
    const mounts = await open().prepare(allocation('job', volume('a'), volume('b', { read_only: true })))
    expect(mounts.map(({ target, isReadOnly }) => [target, isReadOnly])).toEqual([
      ['/mnt/a', false],
      ['/mnt/b', true]
    ])
    for (const { source } of mounts) expect((await stat(source)).isDirectory()).toBe(true)
  })

  test('are released by the id alone, after a restart, and named ones stay', async () => {
    const [mount] = await open().prepare(allocation('job', volume('a')))
    await writeFile(join(mount?.source ?? '', 'file'), 'kept')
    await open().release('job')
    await open().release('job')
    expect(await readdir(join(place, 'jobs'))).toEqual([])
    expect(await open().list(ALICE)).toMatchObject([{ kind: 'local', name: 'a', users: [] }])
    expect(await open().list('did:key:bob')).toEqual([])
    expect(await readFile(join(mount?.source ?? '', 'file'), 'utf8')).toBe('kept')
    expect(await open().remove({ owner: ALICE, name: 'a' })).toBe(true)
    expect(await open().remove({ owner: ALICE, name: 'a' })).toBe(false)
  })

  test('of allocations that are gone are swept, those of living ones are not', async () => {
    await open().prepare(allocation('dead', volume('a')))
    await open().prepare(allocation('alive', volume('a')))
    expect(await open().sweep((id) => id === 'alive')).toEqual(['dead'])
    expect(await open().list()).toMatchObject([{ users: ['alive.0'] }])
  })

  test('of which one fails are recorded, so that a release gives back the others', async () => {
    const broken: VolumeProvider = {
      ...local(),
      kind: 'broken',
      check: () => undefined,
      prepare: () => Promise.reject(new Error('no disk')),
      list: () => Promise.resolve([])
    }
    const failing = allocation('job', volume('a'), volume('b', { type: 'broken' }))
    await expect(open(broken).prepare(failing)).rejects.toThrow('no disk')
    await open(broken).sweep(() => false)
    expect(await open().list()).toMatchObject([{ name: 'a', users: [] }])
    expect(await readdir(join(place, 'jobs'))).toEqual([])
  })

  test('that hold more than they may are told with the allocation that has them', async () => {
    const [mount] = await open().prepare(allocation('ensemble_node.job', volume('a')))
    expect(await open().exceeding()).toEqual(new Map())
    await writeFile(join(mount?.source ?? '', 'big'), Buffer.alloc(mebibytes(17), 1))
    expect([...(await open().exceeding()).keys()]).toEqual(['ensemble_node.job'])
  })
})
