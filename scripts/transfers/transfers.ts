import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { millis, minutes, systemClock } from '../../src/base/index.ts'
import { defaultDockerSocket } from '../../src/executor/docker/index.ts'
import { createS3Publisher, createS3Volumes } from '../../src/storage/s3/index.ts'
import { BUSYBOX_IMAGE, loadBusyboxImage } from '../../src/testing/docker-image.ts'
import { createMachines, createPair, eventually, type TestMachine } from '../../test/support/machine.ts'
import { type S3Server, startS3Server } from '../../test/support/s3-server.ts'

/** What came of one job whose data went in and out while daemons were killed. */
export interface TransferReport {
  /** Of the object, in bytes. */
  readonly size: number
  readonly status: string
  readonly error: string
  /** What the service sent and took, and what the deployer fetched, in bytes. */
  readonly sent: number
  readonly taken: number
  /** Which daemons were killed, and when. */
  readonly kills: readonly string[]
  /** How much more memory each daemon used at its highest than when nothing happened, in MiB. */
  readonly growth: { readonly provider: number; readonly deployer: number }
  /** Whether the object, what was published and what the deployer has are the same. */
  readonly isSame: boolean
  readonly seconds: number
  /** Files and mounts that are left at the provider. */
  readonly left: readonly string[]
}

const MIB = 1024 * 1024

/** Sends an object of `mebibytes` through a job and back, killing the provider twice and the deployer once with SIGKILL. */
export async function transfer(mebibytes: number, say: (line: string) => void): Promise<TransferReport> {
  await loadBusyboxImage(defaultDockerSocket({}))
  const server = await startS3Server()
  const machines = await createMachines()
  try {
    const { deployer, provider } = await createPair(machines)
    await provider.succeed('config', 'set', 'storage.allowed_private_endpoints', server.host)
    await restart(provider, provider, deployer, 'SIGTERM')
    const disk = Math.ceil((mebibytes * 3) / 1024) + 1
    await provider.command('/dms/node/onboarding/onboard', '--cpu', '1', '--ram', '4', '--disk', String(disk), '--no-gpu')
    return await run({ server, deployer, provider, mebibytes, say })
  } finally {
    await machines.dispose()
    await server.stop()
  }
}

interface Scene {
  readonly server: S3Server
  readonly deployer: TestMachine
  readonly provider: TestMachine
  readonly mebibytes: number
  say(line: string): void
}

async function run({ server, deployer, provider, mebibytes, say }: Scene): Promise<TransferReport> {
  const original = join(deployer.home, 'large')
  execFileSync('dd', ['if=/dev/urandom', `of=${original}`, 'bs=1M', `count=${mebibytes}`], { stdio: 'ignore' })
  const digest = await sha256Of(original)
  const size = mebibytes * MIB
  await toBucket(server, original, size, deployer.home)
  await truncate(original, 0)
  const counted = countBytes(server)
  const [gauge, ownGauge] = [await watchMemory(provider), await watchMemory(deployer)]
  const began = performance.now()
  const id = await deploy(deployer, server, mebibytes)
  const kills: string[] = []
  const kill = async (machine: TestMachine, when: string): Promise<void> => {
    say(`killing ${when}`)
    await restart(machine, provider, deployer, 'SIGKILL')
    kills.push(when)
  }
  await eventually('the first part of the object', 300, async () => (counted.sent > size * 0.4 ? true : undefined))
  await kill(provider, `the provider while it fetches (${Math.round((counted.sent / size) * 100)} %)`)
  await eventually('the first part of what is published', 200, async () => (counted.taken > size * 0.4 ? true : undefined))
  await kill(provider, `the provider while it publishes (${Math.round((counted.taken / size) * 100)} %)`)
  const part = join(deployer.home, 'work/deployments', id, 'anywhere.hello/outputs.part/0')
  await eventually('the first part of what is fetched back', 200, async () =>
    (await stat(part)).size > size * 0.3 ? true : undefined
  )
  await kill(deployer, 'the deployer while it fetches the outputs')
  const status = await eventually('the end of the job', 600, async () => {
    const now = await deployer.command<{ readonly status: string; readonly error: string }>(
      '/dms/node/deployment/status',
      '-i',
      id
    )
    return now.status === 'Completed' || now.status === 'Failed' ? now : undefined
  })
  const seconds = (performance.now() - began) / 1000
  await deployer.succeed('get', 'outputs', '-c', 'user', id, '--to', 'results')
  const fetched = await sha256Of(join(deployer.home, 'results/copy'))
  const { sent, taken } = counted // what follows is ours
  const published = await fromBucket(server, deployer.home, size)
  return {
    size,
    ...status,
    sent,
    taken,
    kills,
    growth: { provider: gauge.end(), deployer: ownGauge.end() },
    isSame: fetched === digest && published === digest,
    seconds,
    left: await leftAt(provider)
  }
}

async function deploy(deployer: TestMachine, server: S3Server, mebibytes: number): Promise<string> {
  const ensemble = {
    version: 'V1',
    allocations: {
      hello: {
        type: 'task',
        executor: 'docker',
        resources: { cpu: { cores: 0.9 }, ram: { size: '256MiB' }, disk: { size: `${Math.ceil(mebibytes * 2.2) + 64}MiB` } },
        volume: [{ type: 's3', ...server.place, key: 'in/large', mount_destination: '/in' }],
        outputs: { publish: { type: 's3', ...server.place, prefix: 'out' } },
        execution: { type: 'docker', image: BUSYBOX_IMAGE, cmd: ['sh', '-c', 'cp /in/large /outputs/copy'] }
      }
    },
    nodes: { anywhere: { allocations: ['hello'] } }
  }
  await writeFile(join(deployer.home, 'job.json'), JSON.stringify(ensemble))
  const reply = await deployer.command<{ readonly EnsembleID: string }>(
    '/dms/node/deployment/new',
    '-t',
    '120s',
    '-f',
    'job.json'
  )
  return reply.EnsembleID
}

async function restart(
  machine: TestMachine,
  provider: TestMachine,
  deployer: TestMachine,
  signal: 'SIGTERM' | 'SIGKILL'
): Promise<void> {
  await machine.stop(signal)
  await machine.start()
  const { listen_addr } = await provider.command<{ readonly listen_addr: string }>('/dms/node/peers/self')
  await deployer.command('/dms/node/peers/connect', '--address', listen_addr.split(', ')[0] ?? '')
}

/** The bytes of objects that pass, in both directions. */
function countBytes(server: S3Server): { sent: number; taken: number } {
  const counted = { sent: 0, taken: 0 }
  server.interfere = (request: IncomingMessage, response: ServerResponse) => {
    // By its header: a listener for its pieces would take the first ones from the server.
    if (request.method === 'PUT') counted.taken += Number(request.headers['content-length'] ?? 0)
    if (request.method !== 'GET') return false
    const write = response.write.bind(response)
    response.write = ((piece: Buffer, ...more: []) => {
      counted.sent += piece.length
      return write(piece, ...more)
    }) as typeof response.write
    return false
  }
  return counted
}

const rules = (server: S3Server) => ({ allowedPrivate: [server.host], stallLimit: millis(30_000), timeLimit: minutes(30) })

async function toBucket(server: S3Server, source: string, size: number, directory: string): Promise<void> {
  const publisher = createS3Publisher({ clock: systemClock, rules: rules(server) })
  const spec = { ...server.place, prefix: 'in' }
  await publisher.publish({ id: 'in', directory, spec, files: [{ path: 'large', source, size }] })
}

async function fromBucket(server: S3Server, home: string, size: number): Promise<string> {
  const directory = join(home, 'bucket')
  await mkdir(directory)
  const volumes = createS3Volumes({ clock: systemClock, rules: rules(server) })
  const spec = { ...server.place, key: 'out/copy' }
  const request = { id: 'out', owner: 'did:key:owner', directory, spec, isReadOnly: true, limit: size as never }
  const { source } = await volumes.prepare(request)
  const digest = await sha256Of(join(source, 'copy'))
  await volumes.release(request)
  return digest
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** The highest resident memory of a machine's daemon, whichever process it is, above that of the first moment. */
async function watchMemory(machine: TestMachine): Promise<{ end(): number }> {
  const idle = await residentOf(machine)
  const watch = { highest: idle, isOver: false }
  const look = async (): Promise<void> => {
    while (!watch.isOver) {
      watch.highest = Math.max(watch.highest, await residentOf(machine).catch(() => 0)) // between two daemons there is none
      await pause(100)
    }
  }
  void look()
  return {
    end() {
      watch.isOver = true
      return Math.round((watch.highest - idle) / MIB)
    }
  }
}

async function residentOf({ daemon }: TestMachine): Promise<number> {
  const status = await readFile(`/proc/${daemon?.pid ?? 0}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
}

async function leftAt({ home }: TestMachine): Promise<readonly string[]> {
  return await eventually('the end of what was kept', 60, async () => {
    const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').filter((line) => line.includes(home))
    const places = ['volumes/jobs', 'volumes/outputs'].map((name) => join(home, 'work', name))
    const names = await Promise.all(places.map((path) => readdir(path)))
    return mounts.length + names.flat().length === 0 ? [] : undefined
  }).catch((error: unknown) => [String(error)])
}
