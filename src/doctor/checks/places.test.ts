import { describe, expect, test } from 'vitest'
import { bad, brief, defaultConfig, subjectOf } from '../fixtures.ts'
import type { FileStatus, Subject } from '../types.ts'
import { judgeConfiguration } from './configuration.ts'
import { daemon, judgeDaemon } from './daemon.ts'
import { type DirectoryFacts, directories, judgeDirectory } from './directories.ts'
import { judgePort, judgeRange, parseListenAddress, ports } from './ports.ts'

describe('the configuration', () => {
  test('says which keys do nothing, and which peers are none', async () => {
    const config = await defaultConfig({
      DMS_GENERAL_ENV: 'test',
      BOOTSTRAP_PEERS: '/ip4/1.2.3.4/tcp/9000,/dns4/a/tcp/1/p2p/nobody'
    })
    expect(brief(judgeConfiguration(config)).slice(1)).toEqual([
      'skipped keys: not used by this version: general.env',
      'problem bootstrap peers: not the address of a peer: "/ip4/1.2.3.4/tcp/9000", "/dns4/a/tcp/1/p2p/nobody"'
    ])
  })

  test('by default is good', async () => {
    expect(bad(judgeConfiguration(await defaultConfig()))).toEqual([])
  })

  test('passes on what the file is warned about, and that there is nobody to meet', async () => {
    const { config, ...loaded } = await defaultConfig()
    const alone = {
      ...loaded,
      config: { ...config, p2p: { ...config.p2p, bootstrap_peers: [] } },
      path: '/x',
      warnings: ['old key']
    }
    expect(bad(judgeConfiguration(alone))).toEqual([
      'warning file: old key',
      'warning bootstrap peers: none: this node meets others only when they connect, or by /dms/node/peers/connect'
    ])
  })
})

describe('a directory', () => {
  const status: FileStatus = { type: 'directory', mode: 0o700, uid: 1000, gid: 1000, modifiedAt: 0 as FileStatus['modifiedAt'] }
  const space = { free: 50e9, total: 100e9, freeFiles: 1e6, totalFiles: 2e6 }
  const good: DirectoryFacts = { name: 'user_dir', path: '/d', status, mayWrite: true, uid: 1000, space, fileSystem: 'ext4' }
  const { status: _, ...missing } = good

  test.each<[DirectoryFacts, readonly string[]]>([
    [good, []],
    [missing, []],
    [{ ...missing, mayWrite: false }, ['problem user_dir: /d is not there and cannot be made by this user']],
    [{ ...good, mayWrite: false }, ['problem user_dir: /d may not be written to']],
    [{ ...good, status: { ...status, type: 'file' } }, ['problem user_dir: /d is no directory']],
    [{ ...good, status: { ...status, uid: 0 } }, ['warning user_dir: /d belongs to user 0, this is user 1000']],
    [{ ...good, status: { ...status, mode: 0o777 } }, ['problem user_dir: /d may be written to by everybody']],
    [{ ...good, status: { ...status, mode: 0o770 } }, ['warning user_dir: /d may be written to by its group']],
    [{ ...good, name: 'work_dir', status: { ...status, mode: 0o770 } }, []],
    [{ ...good, space: { ...space, free: 5e8 } }, ['warning user_dir: /d has only 476.8 MiB left']],
    [{ ...good, space: { ...space, freeFiles: 10 } }, ['warning user_dir: /d has room for only 10 more files']],
    [{ ...good, space: { ...space, freeFiles: 0, totalFiles: 0 } }, []],
    [{ ...good, fileSystem: 'nfs4' }, ['warning user_dir: /d lies on a network file system (nfs4)']],
    [{ ...good, fileSystem: 'tmpfs' }, ['warning user_dir: /d lies on tmpfs']]
  ])('is judged: %#', (facts, expected) => {
    expect(bad(judgeDirectory(facts))).toEqual(expected)
  })

  test('that has a command to mend it names it as a shell takes it', () => {
    const [finding] = judgeDirectory({ ...good, path: "/d e'f", status: { ...status, mode: 0o777 } })
    expect(finding?.command).toBe("chmod go-w '/d e'\\''f'")
  })

  test('lies on the file system of the nearest mount above it', async () => {
    const mounts = '/dev/a / ext4 rw 0 0\nserver:/x /home/owner/nunet\\040x nfs rw 0 0\ntmp /home/owner/nunet tmpfs rw 0 0\n'
    const findings = await directories.run(
      await subjectOf({ texts: { '/proc/self/mounts': mounts }, writable: ['/home'], files: { '/home/owner/nunet/a': {} } })
    )
    expect(brief(findings).filter((line) => line.includes('tmpfs'))).toHaveLength(2)
    expect(brief(findings)[0]).toContain('ext4')
  })
})

describe('a port', () => {
  const place = { purpose: 'REST', key: 'rest.port', protocol: 'tcp', host: '127.0.0.1', port: 9999, daemon: 'none' } as const

  test.each([
    [{ ...place, state: 'free' }, 'ok port for REST: 127.0.0.1:9999 is free'],
    [{ ...place, state: 'in use' }, 'problem port for REST: 127.0.0.1:9999 is used by another program'],
    [{ ...place, state: 'in use', daemon: 'ours' }, 'ok port for REST: 127.0.0.1:9999 is used by the running daemon'],
    [
      { ...place, purpose: 'peers', protocol: 'udp', state: 'in use', port: 9000 },
      'problem port for peers: UDP 127.0.0.1:9000 is used by another program'
    ],
    [{ ...place, state: 'forbidden', port: 80 }, 'problem port for REST: 127.0.0.1:80 may not be used by this user'],
    [{ ...place, state: 'no such address', host: '::5' }, 'problem port for REST: [::5]:9999 is no address of this machine']
  ] as const)('is judged: %#', (facts, expected) => {
    expect(brief([judgePort(facts)])).toEqual([expected])
  })

  test.each([
    ['/ip4/0.0.0.0/tcp/9000', 'tcp'],
    ['/ip6/::/tcp/9000', 'tcp'],
    ['/ip4/0.0.0.0/tcp/9000/ws', 'tcp'],
    ['/ip4/0.0.0.0/udp/9000/quic-v1', 'udp'],
    ['/ip4/0.0.0.0/udp/9000', 'unknown'],
    ['/ip4/0.0.0.0/tcp/70000', 'unknown'],
    ['0.0.0.0:9000', 'unknown']
  ])('is read from %s as %s', (text, type) => {
    expect(parseListenAddress(text).protocol).toBe(type)
  })

  test.each([
    [
      { from: 9000, to: 10_000, own: [9999, 9000] },
      'warning ports for jobs: 9000–9999 includes 9999, 9000, which the daemon itself uses'
    ],
    [
      { from: 40_000, to: 50_000, own: [], local: [32_768, 60_999] },
      'warning ports for jobs: 40000–49999 lies within 32768–60999, which the kernel takes for outgoing connections'
    ],
    [
      { from: 16_384, to: 65_536, own: [], local: [32_768, 60_999] },
      'ok ports for jobs: 16384–65535; the kernel takes 32768–60999 for outgoing connections too'
    ],
    [{ from: 16_384, to: 20_000, own: [], local: [32_768, 60_999] }, 'ok ports for jobs: 16384–19999']
  ] as const)('of a job comes from a range: %#', (facts, expected) => {
    expect(brief([judgeRange(facts)])).toEqual([expected])
  })

  test('that our own daemon uses is good, and is recognised by its health', async () => {
    const get: Subject['system']['get'] = async (_place, path) => ({
      status: 200,
      text: path === '/health' ? '{"status":"ok"}' : '{"did":{"uri":"did:key:z6Mk"}}'
    })
    const texts = { '/home/owner/.nunet/cap/dms.cap': '{"did":{"uri":"did:key:z6Mk"}}' }
    const system = { get, tryListen: async () => 'in use' as const }
    const recording = { texts, system }
    expect(bad(await ports.run(await subjectOf(recording)))).toEqual([])
    expect(brief(await daemon.run(await subjectOf(recording)))[0]).toBe('ok daemon: runs at 127.0.0.1:9999 as did:key:z6Mk')
    expect(bad(await ports.run(await subjectOf({ system })))).toContain(
      'problem port for REST: 127.0.0.1:9999 is used by another program or DMS'
    )
    const web = { system: { get: async () => ({ status: 200, text: '<html>' }), tryListen: async () => 'in use' as const } }
    expect(bad(await ports.run(await subjectOf(web)))).toHaveLength(3)
  })
})

describe('the daemon', () => {
  const facts = { place: '127.0.0.1:9999', contextName: 'dms', uid: 1000 }

  test.each([
    [facts, []],
    [
      { ...facts, holder: { pid: 7 } },
      ['warning daemon: process 7 holds the data directory, but nobody answers at 127.0.0.1:9999']
    ],
    [{ ...facts, answer: {} }, []],
    [{ ...facts, answer: { did: 'did:a' }, expectedDid: 'did:a' }, []],
    [{ ...facts, answer: { did: 'did:a' } }, ['warning daemon: at 127.0.0.1:9999 runs did:a, but there is no context dms here']],
    [
      { ...facts, answer: { did: 'did:a' }, expectedDid: 'did:b' },
      ['warning daemon: at 127.0.0.1:9999 runs did:a, but the context dms here is did:b']
    ],
    [{ ...facts, answer: {}, holder: { pid: 7, uid: 0 } }, ['warning user: the daemon runs as user 0, this is user 1000']]
  ])('is judged: %#', (given, expected) => {
    expect(bad(judgeDaemon(given))).toEqual(expected)
  })

  test('is found by the lock of its data directory, when its process lives', async () => {
    const texts = { '/home/owner/nunet/data/daemon.lock': '{"pid":7}' }
    expect(bad(await daemon.run(await subjectOf({ texts, system: { isAlive: () => true } })))).toHaveLength(1)
    expect(bad(await daemon.run(await subjectOf({ texts })))).toEqual([])
  })
})
