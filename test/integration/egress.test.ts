import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { layBusyboxRoot } from '../../scripts/lab/images.ts'
import { fromUtf8, mebibytes, randomHex, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts'
import { createDockerExecutor, defaultDockerSocket } from '../../src/executor/docker/index.ts'
import type { EgressFilter, Executor, Workload } from '../../src/executor/index.ts'
import { createEgressFilter, createJobNetwork } from '../../src/executor/job-network/index.ts'
import { createOciExecutor, type ImageSource, probeOci } from '../../src/executor/oci/index.ts'
import { BUSYBOX_IMAGE, loadBusyboxImage, requirement } from '../../src/testing/index.ts'
import { findNetworkNamespaces } from '../support/net-world.ts'

const run = promisify(execFile)
const namespace = `nunetx${randomHex(systemRandom, 4)}`
const link = `dmsx${randomHex(systemRandom, 4)}`
/** Of the machine behind the link: one out in the Internet, one in a private network, one in a public network that this machine is in. */
const FAR = '45.83.233.7'
const PRIVATE = '10.77.91.2'
const NEIGHBOUR = '45.83.234.2'

const namespaces = await findNetworkNamespaces()
const docker = await requirement('docker', async () => {
  const probe = await createDockerExecutor({ nodeId: 'probe', clock: systemClock, log: silentLogger }).probe()
  if (probe.available) await loadBusyboxImage(defaultDockerSocket(process.env))
  return probe
})
const firewall = await requirement('nft', async () => {
  const filter = await createEgressFilter().ensure()
  return filter.ok ? { available: true } : { available: false, reason: filter.error }
})
const oci = await requirement('oci', () => probeOci('auto'))
const missing = [namespaces, docker, firewall, oci].find(({ available }) => !available)

describe.skipIf(missing !== undefined)((missing ?? docker).title('what a container reaches'), () => {
  const nodeId = `dms-egress-${randomHex(systemRandom, 6)}`
  let neighbour: ChildProcess
  let here: Server
  let executor: Executor

  beforeAll(async () => {
    await run('ip', ['netns', 'add', namespace])
    await run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace])
    for (const cidr of ['10.77.91.1/30', '45.83.234.1/30']) await run('ip', ['addr', 'add', cidr, 'dev', link])
    await run('ip', ['link', 'set', link, 'up'])
    for (const cidr of [`${PRIVATE}/30`, `${NEIGHBOUR}/30`, `${FAR}/32`]) {
      await run('ip', ['-n', namespace, 'addr', 'add', cidr, 'dev', 'eth0'])
    }
    await run('ip', ['-n', namespace, 'link', 'set', 'eth0', 'up'])
    await run('ip', ['route', 'add', `${FAR}/32`, 'via', PRIVATE])
    neighbour = spawn('ip', ['netns', 'exec', namespace, 'busybox', 'httpd', '-f', '-p', '8080', '-h', '/proc/sys/kernel'])
    here = createServer((_request, response) => response.end('here'))
    await new Promise<void>((resolve) => here.listen(0, '0.0.0.0', resolve))
    executor = open(createEgressFilter())
  })

  afterEach(async () => {
    for (const { handle } of await executor.list()) await executor.remove(handle)
  })

  afterAll(async () => {
    neighbour.kill('SIGKILL')
    here.close()
    await run('ip', ['link', 'del', link])
    await run('ip', ['netns', 'del', namespace])
    const { stdout } = await run('docker', ['network', 'ls', '-q', '--filter', `label=nunet.node=${nodeId}`])
    expect(stdout).toBe('')
  })

  function open(filter: EgressFilter): Executor {
    return createDockerExecutor({ nodeId, network: { egress: 'public', filter }, clock: systemClock, log: silentLogger })
  }

  function job(script: string, change: Partial<Workload> = {}): Workload {
    return {
      id: `dms-egress-${randomHex(systemRandom, 8)}`,
      spec: { image: BUSYBOX_IMAGE, cmd: ['sh', '-c', script] },
      limits: { cpuCores: 0.5, memory: mebibytes(32), disk: mebibytes(64), pids: 32 },
      directory: '/tmp',
      allowPrivileged: false,
      ports: [],
      ...change
    }
  }

  async function outputOf(workload: Workload, from = executor): Promise<string> {
    const handle = await from.start(workload)
    await from.wait(handle)
    let text = ''
    for await (const { data } of from.logs(handle)) text += fromUtf8(data)
    return text.trim()
  }

  const fetchAll = (...places: readonly string[]): string =>
    places
      .map((place) => `timeout 3 wget -q -O - http://${place} >/dev/null 2>&1 && echo "reached ${place}" & `)
      .join('')
      .concat('wait; echo done')

  test('is nothing of this machine, of its networks, of a cloud’s metadata and of other jobs', async () => {
    const { port } = here.address() as AddressInfo
    const other = await executor.start(job('mkdir /w; echo x > /w/index.html; exec httpd -f -p 8080 -h /w'))
    const { stdout } = await run('docker', [
      'inspect',
      '-f',
      '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Gateway}}{{end}}',
      other.slice(7)
    ])
    const [otherJob = '', gateway = ''] = stdout.trim().split(' ')
    const own = Object.values(networkInterfaces()).flatMap((list = []) => list.filter(({ family }) => family === 'IPv4'))
    const places = [
      ...own.filter(({ internal }) => !internal).map(({ address }) => `${address}:${port}`),
      `${gateway}:${port}`,
      `${otherJob}:8080`,
      `${PRIVATE}:8080/hostname`,
      `${NEIGHBOUR}:8080/hostname`,
      '169.254.169.254/latest/meta-data'
    ]
    expect(await outputOf(job(fetchAll(...places)))).toBe('done')
    expect(
      await executor.exec(other, ['wget', '-q', '-O', '-', 'http://127.0.0.1:8080/'], { maxOutput: mebibytes(1) })
    ).toMatchObject({ code: 0 })
  })

  test('is the Internet, and the port that it publishes is reached', async () => {
    expect(await outputOf(job(fetchAll(`${FAR}:8080/hostname`)))).toBe(`reached ${FAR}:8080/hostname\ndone`)
    const port = 20_000 + (Number.parseInt(randomHex(systemRandom, 2), 16) % 10_000)
    const ports = [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: port, port: 8080 }] as const
    await executor.start(job('mkdir /w; echo served > /w/index.html; exec httpd -f -p 8080 -h /w', { ports }))
    await expect.poll(async () => (await fetch(`http://127.0.0.1:${port}/`)).text(), { timeout: 10_000 }).toBe('served\n')
    const { stdout } = await run('ip', [
      'netns',
      'exec',
      namespace,
      'busybox',
      'wget',
      '-q',
      '-O',
      '-',
      `http://10.77.91.1:${port}/`
    ])
    expect(stdout).toBe('served\n')
    expect(await outputOf(job(fetchAll(`45.83.234.1:${port}`, `10.77.91.1:${port}`)))).toBe('done')
  })

  test('is nothing where the filter cannot be set, and ports are refused there', async () => {
    const weak = open({ ensure: async () => ({ ok: false, error: 'no nft here' }) })
    expect(await outputOf(job('ip link | grep -c ": "'), weak)).toBe('1')
    expect(await weak.probe()).toMatchObject({
      available: true,
      version: expect.stringContaining('no network: no nft here') as string
    })
    const ports = [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 20_001, port: 80 }] as const
    await expect(weak.start(job('true', { ports }))).rejects.toMatchObject({
      code: 'EXECUTOR_UNAVAILABLE',
      message: 'there are no ports here: no nft here'
    })
  })

  test('a network without its job is taken away by the next look', async () => {
    const workload = job('true')
    const handle = await executor.start(workload)
    await executor.wait(handle)
    await run('docker', ['rm', '-f', handle.slice(7)])
    expect(await executor.list()).toEqual([])
    const { stdout } = await run('docker', ['network', 'ls', '-q', '--filter', `label=nunet.node=${nodeId}`])
    expect(stdout).toBe('')
  })

  test('is the same without a daemon: the Internet, and nothing of this machine, its networks and other jobs', async () => {
    const { port } = here.address() as AddressInfo
    const [root, directory] = [await layBusyboxRoot(), await mkdtemp(join(tmpdir(), 'dms-egress-'))]
    const config = { entrypoint: [], cmd: [], environment: [], workingDirectory: '/', user: '' }
    const images: ImageSource = { prepare: async () => ({ config, lowerDirectories: [root] }), release: async () => undefined }
    const jobs = createJobNetwork({ nodeId, filter: createEgressFilter() })
    const network = { egress: 'public', jobs } as const
    const daemonless = createOciExecutor({ directory, images, network, clock: systemClock, log: silentLogger })
    const own = async (script: string): Promise<Workload> => {
      const workload = job(script)
      await mkdir(join(directory, workload.id))
      return { ...workload, directory: join(directory, workload.id) }
    }
    try {
      const other = await daemonless.start(await own('mkdir /w; echo x > /w/index.html; exec httpd -f -p 8080 -h /w'))
      const address = async (): Promise<string> => {
        const { output } = await daemonless.exec(other, ['ip', '-4', 'addr', 'show', 'eth0'], { maxOutput: mebibytes(1) })
        return /inet ([0-9.]+)/.exec(fromUtf8(output))?.[1] ?? ''
      }
      const otherJob = await address()
      expect(otherJob).toMatch(/^198\.19\./)
      const gateway = otherJob.replace(/\d+$/, (last) => String(Number(last) - 1))
      const places = [
        `10.77.91.1:${port}`,
        `${gateway}:${port}`,
        `${otherJob}:8080`,
        `${PRIVATE}:8080/hostname`,
        `${NEIGHBOUR}:8080/hostname`,
        '169.254.169.254/latest/meta-data'
      ]
      expect(await outputOf(await own(fetchAll(...places)), daemonless)).toBe('done')
      expect(await outputOf(await own(fetchAll(`${FAR}:8080/hostname`)), daemonless)).toBe(`reached ${FAR}:8080/hostname\ndone`)
    } finally {
      for (const { handle } of await daemonless.list()) await daemonless.remove(handle)
      await Promise.all([root, directory].map((path) => rm(path, { recursive: true })))
    }
    expect(Object.keys(networkInterfaces()).filter((name) => name.startsWith('nunetj'))).toEqual([])
  })
})
