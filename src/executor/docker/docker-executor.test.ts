import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  fromUtf8,
  type JsonValue,
  mebibytes,
  millis,
  ok,
  randomHex,
  silentLogger,
  systemClock,
  systemRandom
} from '../../base/index.ts'
import { BUSYBOX_IMAGE, executorCompliance, loadBusyboxImage, requirement } from '../../testing/index.ts'
import type { Executor, ExitStatus, Workload } from '../index.ts'
import type { NetworkPolicy } from './attachment.ts'
import { createDockerClient } from './client.ts'
import { containerName, formerContainerName } from './container.ts'
import { createDockerExecutor, defaultDockerSocket } from './index.ts'

const NOISE = 'i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo "out $i"; echo "err $i" >&2; done'
const sh = (script: string): JsonValue => ({ image: BUSYBOX_IMAGE, cmd: ['sh', '-c', script] })

/** What guards a network is tested with real neighbours in test/integration/egress.test.ts. */
const UNGUARDED: NetworkPolicy = { egress: 'all', filter: { ensure: () => Promise.resolve(ok(true)) } }

const SPECS = {
  hello: sh('echo hello'),
  exit3: sh('exit 3'),
  sleep: { type: 'docker', image: BUSYBOX_IMAGE, cmd: ['sleep', '1000'] },
  noisy: sh(NOISE)
} as const

function makeWorkload(spec: JsonValue, change: Partial<Workload> = {}): Workload {
  return {
    id: `dms-test-${randomHex(systemRandom, 8)}_node.alloc`,
    spec,
    limits: { cpuCores: 0.5, memory: mebibytes(32), disk: mebibytes(64), pids: 32 },
    directory: '/tmp',
    allowPrivileged: false,
    ports: [],
    ...change
  }
}

function open(nodeId: string): Executor {
  return createDockerExecutor({ nodeId, network: UNGUARDED, clock: systemClock, log: silentLogger })
}

const newNodeId = (): string => `dms-test-${randomHex(systemRandom, 8)}`

const needs = await requirement('docker', async () => {
  const probe = await open('dms-test').probe()
  if (probe.available) await loadBusyboxImage(defaultDockerSocket(process.env))
  return probe
})

describe.skipIf(!needs.available)(needs.title('the docker executor as any executor'), () => {
  executorCompliance({
    test,
    async create() {
      const nodeId = newNodeId()
      return {
        executor: open(nodeId),
        workload: async (kind) => makeWorkload(SPECS[kind]),
        shell: async (script) => makeWorkload(sh(script)),
        invalid: async () => ({ workload: makeWorkload({ image: 'UPPER/case' }), field: 'image' }),
        reopen: () => open(nodeId),
        dispose: async () => undefined
      }
    }
  })
})

describe.skipIf(!needs.available)(needs.title('the docker executor'), () => {
  const client = createDockerClient(() => defaultDockerSocket(process.env), systemClock)
  let nodeId: string
  let executor: Executor

  beforeEach(() => {
    nodeId = newNodeId()
    executor = open(nodeId)
  })

  afterEach(async () => {
    for (const { handle } of await executor.list()) await executor.remove(handle)
  })

  async function run(workload: Workload): Promise<{ status: ExitStatus; stdout: string; stderr: string }> {
    const handle = await executor.start(workload)
    const status = await executor.wait(handle)
    const text = { stdout: '', stderr: '' }
    for await (const { stream, data } of executor.logs(handle)) text[stream] += fromUtf8(data)
    return { status, ...text }
  }

  async function inspect(workload: Workload): Promise<unknown> {
    return (await client.call({ method: 'GET', path: `/containers/${containerName(nodeId, workload.id)}/json` })).body
  }

  test('refuses to run a privileged container that the owner does not allow', async () => {
    const workload = makeWorkload({ image: BUSYBOX_IMAGE, privileged: true })
    expect(() => executor.check(workload)).toThrow(expect.objectContaining({ code: 'EXECUTOR_NOT_PERMITTED', kind: 'forbidden' }))
    await expect(executor.start(workload)).rejects.toThrow('does not allow privileged')
    expect(await executor.list()).toEqual([])
  })

  test('an image that cannot be had is an error with the words of Docker, and leaves nothing', async () => {
    const workload = makeWorkload({ image: '127.0.0.1:1/nobody/nothing:none' })
    await expect(executor.start(workload)).rejects.toMatchObject({
      code: 'EXECUTOR_IMAGE_NOT_FOUND',
      message: expect.stringMatching(/127\.0\.0\.1:1\/nobody\/nothing:none.*(refused|failed|error)/s) as unknown
    })
    expect(await executor.list()).toEqual([])
  })

  test('a container that Docker does not start is an error with its words, and leaves nothing', async () => {
    const workload = makeWorkload({ image: BUSYBOX_IMAGE, user: 'nobody-here', cmd: ['true'] })
    await expect(executor.start(workload)).rejects.toMatchObject({
      code: 'EXECUTOR_START_FAILED',
      message: expect.stringContaining('nobody-here') as unknown
    })
    expect(await executor.list()).toEqual([])
  })

  test('a program that is not in the image ends with code 127, like a shell', async () => {
    const { status, stderr } = await run(makeWorkload({ image: BUSYBOX_IMAGE, cmd: ['/nothing'] }))
    expect(status).toEqual({ type: 'exited', code: 127 })
    expect(stderr).toContain('/nothing')
  })

  test('a container of another node is neither taken over nor listed, and does not stand in the way of ours', async () => {
    const workload = makeWorkload(SPECS.sleep)
    const other = open(newNodeId())
    const theirs = await other.start(workload)
    try {
      expect(await executor.list()).toEqual([])
      const ours = await executor.start(workload)
      expect(ours).not.toBe(theirs)
      expect(await executor.list()).toEqual([{ id: workload.id, handle: ours }])
      await executor.remove(ours)
      expect(await other.recover(theirs)).toBe(true)
    } finally {
      for (const { handle } of await other.list()) await other.remove(handle)
    }
  })

  test('a name that a stranger took is an error that says so, and the stranger is left alone', async () => {
    const workload = makeWorkload(SPECS.sleep)
    const name = containerName(nodeId, workload.id)
    await client.call({
      method: 'POST',
      path: '/containers/create',
      query: { name },
      body: { Image: BUSYBOX_IMAGE, Cmd: ['true'] }
    })
    try {
      await expect(executor.start(workload)).rejects.toThrow(`the name ${name} belongs to a container that is not this node's`)
    } finally {
      expect((await client.call({ method: 'DELETE', path: `/containers/${name}` })).status).toBe(204)
    }
  })

  test.each([
    ['its own', (id: string) => containerName(nodeId, id)],
    ['its former', formerContainerName]
  ])('a container that was created under %s name and never started is started by the next start', async (_, nameOf) => {
    const workload = makeWorkload(SPECS.hello)
    const { body } = await client.call({
      method: 'POST',
      path: '/containers/create',
      query: { name: nameOf(workload.id) },
      body: { Image: BUSYBOX_IMAGE, Cmd: ['true'], Labels: { 'nunet.node': nodeId, 'nunet.allocation': workload.id } }
    })
    const [created] = await executor.list()
    expect(body).toMatchObject({ Id: created?.handle.slice('docker:'.length) })
    expect(await executor.start(workload)).toBe(created?.handle)
    expect(await run(workload)).toMatchObject({ status: { type: 'exited', code: 0 } })
  })

  test('an aborted start ends with a cancellation', async () => {
    await expect(executor.start(makeWorkload(SPECS.sleep), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      kind: 'cancelled'
    })
  })

  test('the program has few capabilities and cannot gain any', async () => {
    const { stdout } = await run(makeWorkload(sh('cat /proc/self/status')))
    // chown, dac_override, fowner, fsetid, kill, setgid, setuid, net_bind_service
    expect(stdout).toMatch(/^CapEff:\t00000000000004fb$/m)
    expect(stdout).toMatch(/^CapPrm:\t00000000000004fb$/m)
    expect(stdout).toMatch(/^CapBnd:\t00000000000004fb$/m)
    expect(stdout).toMatch(/^NoNewPrivs:\t1$/m)
    expect(stdout).toMatch(/^Seccomp:\t2$/m)
  })

  test('Docker holds every limit', async () => {
    const workload = makeWorkload(SPECS.sleep)
    await executor.start(workload)
    expect(await inspect(workload)).toMatchObject({
      Name: `/${containerName(nodeId, workload.id)}`,
      Config: {
        Tty: false,
        Labels: {
          'nunet.node': nodeId,
          'nunet.allocation': workload.id,
          'nunet-executor': nodeId,
          'nunet-jobID': `${nodeId}_${workload.id}`,
          'nunet-executionID': `${nodeId}_${workload.id}_${workload.id}`
        }
      },
      HostConfig: {
        Memory: mebibytes(32),
        MemorySwap: mebibytes(32),
        NanoCpus: 500_000_000,
        PidsLimit: 32,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        Privileged: false,
        AutoRemove: false,
        Init: true,
        RestartPolicy: { Name: '' },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '64m', 'max-file': '2' } }
      }
    })
  })

  test('a program that uses more memory than allowed is killed for it', async () => {
    const { status } = await run(
      makeWorkload(sh('head -c 100000000 /dev/zero | (read -r x; cat) & x=$(yes | head -c 90000000); wait'))
    )
    expect(status).toEqual({ type: 'killed', signal: 'SIGKILL', outOfMemory: true })
  })

  test('a program that writes more than its disk is killed for it, in one file or in many', { timeout: 60_000 }, async () => {
    const one = await run(makeWorkload(sh('yes > /fill; ls -l /fill | wc -c; sleep 1')))
    expect(one.stderr + JSON.stringify(one.status)).toMatch(/[Ff]ile (size limit|too large)|SIGXFSZ|killed/)
    const many = await run(makeWorkload(sh('i=0; while true; do i=$((i+1)); head -c 4000000 /dev/zero > /f$i; sleep 0.05; done')))
    expect(many.status).toEqual({ type: 'killed', signal: 'SIGKILL', outOfMemory: false, reason: 'it wrote more than its disk' })
  })

  test('a program that starts more processes than allowed does not get them', async () => {
    const { stderr } = await run(makeWorkload(sh('i=0; while [ $i -lt 60 ]; do i=$((i+1)); sleep 2 & done; wait')))
    expect(stderr).toContain("can't fork")
  })

  test('a server that begins as root may give its files away and go on as somebody else', async () => {
    const script = 'touch /tmp/a && chown 1000:1000 /tmp/a && ls -n /tmp/a | cut -d" " -f6-9 | grep -q 1000 && echo given'
    expect((await run(makeWorkload(sh(script)))).stdout).toBe('given\n')
  })

  test('the network cannot be listened to, and devices cannot be made', async () => {
    const { stdout } = await run(
      makeWorkload(sh('mknod /tmp/d b 8 0 2>/dev/null || echo no device; ping -c1 -W1 127.0.0.1 2>&1'))
    )
    expect(stdout).toContain('no device\n')
    expect(stdout).toMatch(/permission denied/i)
  })

  test('scripts run before the command of the image, and what the description says instead of it', async () => {
    const scripts = [{ name: 'a', content: Buffer.from('echo script') }]
    const own = await run(makeWorkload({ image: BUSYBOX_IMAGE, entrypoint: ['echo', 'own "words"'] }, { scripts }))
    expect(own.stdout).toBe('script\nown "words"\n')
    const arguments_ = await run(makeWorkload({ image: BUSYBOX_IMAGE, cmd: ['echo', '$HOME'] }, { scripts }))
    expect(arguments_.stdout).toBe('script\n$HOME\n')
  })

  test('a card of which Docker knows nothing is an error with its words, and leaves nothing', async () => {
    const gpus = [{ vendor: 'nvidia', uuid: 'GPU-00000000-0000', devices: [] }] as const
    await expect(executor.start(makeWorkload(SPECS.sleep, { gpus }))).rejects.toMatchObject({ code: 'EXECUTOR_START_FAILED' })
    expect(await executor.list()).toEqual([])
  })

  test('the nodes of a card are inside, for the workload to open', async () => {
    const gpus = [{ vendor: 'intel', devices: ['/dev/full'] }] as const // a device of every machine stands in for /dev/dri/…
    const { stdout } = await run(makeWorkload(sh('ls -l /dev/full; echo x > /dev/full || echo full'), { gpus }))
    expect(stdout).toContain('/dev/full')
  })

  test('entry point, arguments, variables, directory and user are those of the description', async () => {
    const spec = { image: BUSYBOX_IMAGE, entrypoint: ['sh', '-c'], cmd: ['echo "$A $B" $PWD $(id -u):$(id -g)'] }
    const extra = { environment: { A: 'one two', B: 3 }, working_directory: '/tmp', user: '1000:1001', restart_policy: 'always' }
    const { stdout } = await run(makeWorkload({ ...spec, ...extra }))
    expect(stdout).toBe('one two 3 /tmp 1000:1001\n')
  })

  test('a port of the container answers on the host port', async () => {
    const port = 20_000 + (Number.parseInt(randomHex(systemRandom, 2), 16) % 10_000)
    const script = 'echo served > /tmp/index.html; exec httpd -f -p 8080 -h /tmp'
    const workload = makeWorkload(sh(script), {
      ports: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: port, port: 8080 }]
    })
    await executor.start(workload)
    await expect.poll(async () => (await fetch(`http://127.0.0.1:${port}/`)).text(), { timeout: 10_000 }).toBe('served\n')
  })

  test('a program that ignores the request to end is killed after the grace', async () => {
    const workload = makeWorkload(sh("trap '' TERM; echo ready; while true; do sleep 1; done"))
    const handle = await executor.start(workload)
    for await (const _chunk of executor.logs(handle, { follow: true })) break
    await executor.stop(handle, millis(1000))
    expect(await executor.wait(handle)).toEqual({ type: 'killed', signal: 'SIGKILL', outOfMemory: false })
  })

  test('the use of a running container is measured', async () => {
    const handle = await executor.start(makeWorkload(sh('while true; do :; done')))
    const usage = await executor.usage(handle)
    expect(usage.memory).toBeGreaterThan(0)
    expect(usage.memory).toBeLessThan(mebibytes(32))
    expect(usage.cpuPercent).toBeGreaterThan(10)
    expect(usage.cpuPercent).toBeLessThan(80)
  })
})
