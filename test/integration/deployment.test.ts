import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Actor, rootHandleOf } from '../../src/actor/index.ts'
import { gibibytes, hours, type JsonValue, minutes, seconds } from '../../src/base/index.ts'
import {
  deploymentLogs,
  deploymentNew,
  deploymentShutdown,
  deploymentStatus,
  onboard,
  resourcesFree
} from '../../src/protocol/index.ts'
import { type Cluster, type ClusterNode, createCluster, createVirtualClock, type VirtualClock } from '../../src/testing/index.ts'

interface TaskSpec {
  readonly type?: 'task' | 'service'
  readonly durationMs?: number
  readonly exitCode?: number
  readonly stdout?: string
  readonly forever?: boolean
}

function ensemble(peer: string | undefined, tasks: Readonly<Record<string, TaskSpec>>, cores = 1): JsonValue {
  const allocations = Object.entries(tasks).map(
    ([name, { type = 'task', durationMs, exitCode = 0, stdout = '', forever = false }]) => [
      name,
      {
        type,
        executor: 'null',
        resources: { cpu: { cores }, ram: { size: gibibytes(1) }, disk: { size: gibibytes(1) } },
        execution: {
          type: 'null',
          params: { ...(durationMs === undefined ? {} : { duration_ms: durationMs }), exit_code: exitCode, stdout, forever }
        }
      }
    ]
  )
  const node = { allocations: Object.keys(tasks), ...(peer === undefined ? {} : { peer }) }
  return { v1: { allocations: Object.fromEntries(allocations) as JsonValue, nodes: { node1: node } } }
}

describe('a deployment between two nodes', () => {
  let clock: VirtualClock
  let cluster: Cluster
  let deployer: ClusterNode
  let provider: ClusterNode

  beforeEach(async () => {
    clock = createVirtualClock()
    cluster = await createCluster(clock)
    deployer = await cluster.start()
    provider = await cluster.start()
    await cluster.trust(provider, deployer)
    await cluster.trust(deployer, provider)
    await clock.run(lend(provider))
  })

  afterEach(async () => {
    await clock.run(cluster.dispose())
  })

  function root(node: ClusterNode) {
    const handle = rootHandleOf(node.key.publicKey)
    if (!handle.ok) throw new Error('no handle')
    return handle.value
  }

  const actorOf = (node: ClusterNode): Actor => node.actors.root

  async function lend(node: ClusterNode): Promise<void> {
    const resources = {
      cpu: { clockHz: 0, cores: 2, model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
      gpus: [],
      ram: { size: gibibytes(4), clockSpeed: 0, type: '' },
      disk: { size: gibibytes(10), type: '' }
    }
    const reply = await actorOf(node).invoke(root(node), onboard, { noGpu: true, gpus: [], config: { resources } })
    expect(reply.success).toBe(true)
  }

  async function deploy(node: ClusterNode, wire: JsonValue): Promise<string> {
    const { ensembleId } = await actorOf(node).invoke(root(node), deploymentNew, { ensemble: wire }, { timeout: minutes(2) })
    if (ensembleId === undefined) throw new Error('no id')
    return ensembleId
  }

  async function until(node: ClusterNode, id: string, wanted: string, pause = seconds(1)) {
    for (;;) {
      const status = await actorOf(node).invoke(root(node), deploymentStatus, { id })
      if (wanted === status.status) return status
      if (status.status === 'Failed' || status.status === 'Completed') {
        throw new Error(`${status.status}: ${status.error}\n${status.events?.map(({ text }) => text).join('\n')}`)
      }
      await clock.sleep(pause)
    }
  }

  test('fails with the reason when nobody can serve it, and leaves nothing behind', async () => {
    const status = await clock.run(
      (async () => until(deployer, await deploy(deployer, ensemble(undefined, { big: {} }, 3)), 'Failed'))()
    )
    expect(status.error).toContain('no bid for node node1')
    expect(provider.node.ledger.commitments().size).toBe(0)
  })

  test('is refused when the request leaves it too little time', async () => {
    const short = actorOf(deployer).invoke(
      root(deployer),
      deploymentNew,
      { ensemble: ensemble(undefined, { t: {} }) },
      { timeout: seconds(30) }
    )
    await expect(clock.run(short)).rejects.toThrow(/requested deployment time too short/)
  })

  test('runs a task on the other machine and brings its output back', async () => {
    const result = await clock.run(
      (async () => {
        const id = await deploy(deployer, ensemble(undefined, { hello: { durationMs: 5000, stdout: 'hello from afar\n' } }))
        const status = await until(deployer, id, 'Completed')
        const logs = await actorOf(deployer).invoke(root(deployer), deploymentLogs, { id, allocation: 'node1.hello' })
        return { status, logs }
      })()
    )
    expect(result.status.allocations?.['node1.hello']).toMatchObject({
      status: 'completed',
      exitCode: 0,
      peer: provider.key.peerId
    })
    expect(result.logs.stdout).toBe('hello from afar\n')
    expect(result.logs.complete).toBe(true)
    const { resources } = await clock.run(actorOf(provider).invoke(root(provider), resourcesFree, null))
    expect(resources.cpu.cores).toBe(2)
    expect(resources.ram.size).toBe(gibibytes(4))
  })

  test('runs on a pinned peer without a broadcast', async () => {
    const wire = ensemble(provider.key.peerId, { hello: { durationMs: 1, stdout: 'x' } })
    const status = await clock.run((async () => until(deployer, await deploy(deployer, wire), 'Completed'))())
    expect(status.allocations?.['node1.hello']?.status).toBe('completed')
  })

  test('ends as failed, with the exit code, when a task fails', async () => {
    const wire = ensemble(undefined, { bad: { durationMs: 10, exitCode: 3 } })
    const status = await clock.run((async () => until(deployer, await deploy(deployer, wire), 'Failed'))())
    expect(status.allocations?.['node1.bad']).toMatchObject({ status: 'failed', exitCode: 3 })
    expect(status.error).toContain('exited with code 3')
  })

  test('is shut down on request and gives everything back', async () => {
    const id = await clock.run(deploy(deployer, ensemble(undefined, { web: { type: 'service', forever: true } })))
    await clock.run(until(deployer, id, 'Running'))
    expect(provider.node.ledger.allocated().cpuCores).toBe(1)
    await clock.run(actorOf(deployer).invoke(root(deployer), deploymentShutdown, { id }))
    await clock.run(until(deployer, id, 'Completed'))
    await clock.run(clock.sleep(minutes(1)))
    expect(provider.node.ledger.commitments().size).toBe(0)
    await expect(clock.run(actorOf(deployer).invoke(root(deployer), deploymentShutdown, { id }))).rejects.toThrow(
      'deployment is not running'
    )
  })

  test('survives a restart of the provider', async () => {
    const id = await clock.run(deploy(deployer, ensemble(undefined, { job: { durationMs: 600_000, stdout: 'done\n' } })))
    await clock.run(until(deployer, id, 'Running'))
    await clock.run(provider.stop())
    await clock.run(clock.sleep(minutes(1)))
    provider = await clock.run(cluster.start(provider))
    const status = await clock.run(until(deployer, id, 'Completed'))
    expect(status.allocations?.['node1.job']).toMatchObject({ status: 'completed' })
    const logs = await clock.run(actorOf(deployer).invoke(root(deployer), deploymentLogs, { id, allocation: 'job' }))
    expect(logs.stdout).toBe('done\n')
  })

  test('survives a restart of the deployer', async () => {
    const id = await clock.run(deploy(deployer, ensemble(undefined, { job: { durationMs: 600_000, stdout: 'done\n' } })))
    await clock.run(until(deployer, id, 'Running'))
    await clock.run(deployer.stop())
    await clock.run(clock.sleep(minutes(30)))
    deployer = await clock.run(cluster.start(deployer))
    const status = await clock.run(until(deployer, id, 'Completed'))
    expect(status.allocations?.['node1.job']).toMatchObject({ status: 'completed' })
  })

  test('delivers the output of a job that ended while its deployer was away for hours', async () => {
    const id = await clock.run(deploy(deployer, ensemble(undefined, { job: { durationMs: 600_000, stdout: 'done\n' } })))
    await clock.run(until(deployer, id, 'Running'))
    await clock.run(deployer.stop())
    await clock.run(clock.sleep(hours(5)))
    deployer = await clock.run(cluster.start(deployer))
    await clock.run(until(deployer, id, 'Completed'))
    const logs = await clock.run(actorOf(deployer).invoke(root(deployer), deploymentLogs, { id, allocation: 'job' }))
    expect(logs.stdout).toBe('done\n')
  })

  test('that was ended while its provider was away does not go on for hours when that is back', async () => {
    const id = await clock.run(deploy(deployer, ensemble(undefined, { web: { type: 'service', forever: true } })))
    await clock.run(until(deployer, id, 'Running'))
    await clock.run(provider.stop())
    await clock.run(actorOf(deployer).invoke(root(deployer), deploymentShutdown, { id }))
    await clock.run(clock.sleep(minutes(30)))
    provider = await clock.run(cluster.start(provider))
    await clock.run(clock.sleep(minutes(75)))
    expect(provider.node.ledger.allocated().cpuCores).toBe(0)
  })

  test('of a deployer that is gone for good does not keep the machine busy for ever', async () => {
    const id = await clock.run(deploy(deployer, ensemble(undefined, { web: { type: 'service', forever: true } })))
    await clock.run(until(deployer, id, 'Running'))
    await clock.run(deployer.stop())
    await clock.run(clock.sleep(hours(20)))
    expect(provider.node.ledger.allocated().cpuCores).toBe(1)
    await clock.run(clock.sleep(hours(10)))
    expect(provider.node.ledger.allocated().cpuCores).toBe(0)
  })

  test('gives its output once, however many ask for it at the same time', async () => {
    const stdout = 'é'.repeat(3000)
    const id = await clock.run(deploy(deployer, ensemble(undefined, { job: { durationMs: 600_000, stdout } })))
    await clock.run(until(deployer, id, 'Running'))
    const ask = (stdoutOffset = 0) =>
      actorOf(deployer).invoke(root(deployer), deploymentLogs, { id, allocation: 'job', stdoutOffset, maxBytes: 1001 })
    await clock.run(Promise.all([ask(), ask(), ask()]))
    let text = ''
    for (let offset = 0; text.length < stdout.length; ) {
      const page = await clock.run(ask(offset))
      text += page.stdout ?? ''
      offset = page.stdoutNext ?? 0
    }
    expect(text).toBe(stdout)
  })

  test('keeps its grants over hours', async () => {
    const id = await clock.run(deploy(deployer, ensemble(undefined, { job: { durationMs: hours(6), stdout: 'late\n' } })))
    await clock.run(until(deployer, id, 'Running'))
    const status = await clock.run(until(deployer, id, 'Completed', minutes(10)))
    expect(status.allocations?.['node1.job']).toMatchObject({ status: 'completed' })
  })

  describe('when a node dies at one of its writes and is started again', () => {
    /** Lets a node die at its n-th write from now on: that write and all later ones never happen, and nobody hears it any more. */
    async function dieAtWrite(
      node: ClusterNode,
      n: number
    ): Promise<{ readonly node: ClusterNode; readonly isDead: () => boolean }> {
      let writes = 0
      await node.stop()
      const onWrite = (): void => {
        writes += 1
        if (writes < n) return
        for (const other of [deployer, provider]) cluster.network.unlink(node.key.peerId, other.key.peerId)
        throw new Error('the process is dead')
      }
      return { node: await cluster.start(node, { onWrite }), isDead: () => writes >= n }
    }

    const wire = ensemble(undefined, { job: { durationMs: 60_000, stdout: 'done\n' } })

    /** Waits for the death, which may not come, and starts the node again soon after it. */
    async function revive({
      node,
      isDead
    }: {
      readonly node: ClusterNode
      readonly isDead: () => boolean
    }): Promise<ClusterNode> {
      for (let second = 0; second < 90 && !isDead(); second += 1) await clock.run(clock.sleep(seconds(1)))
      if (!isDead()) return node
      await clock.run(clock.sleep(seconds(5)))
      await clock.run(node.stop().catch(() => undefined))
      return clock.run(cluster.start(node))
    }

    async function expectNothingLeft(): Promise<void> {
      await clock.run(clock.sleep(hours(1)))
      expect([...provider.node.ledger.commitments().keys()]).toEqual([])
      expect(provider.node.allocations.list()).toEqual([])
    }

    /** Every write of one deployment, and a few more that do not come. */
    test.each(Array.from({ length: 14 }, (_, index) => index + 1))('the deployer, at write %i', async (n) => {
      const dying = await clock.run(dieAtWrite(deployer, n))
      deployer = dying.node
      const answered = await clock.run(deploy(deployer, wire).catch(() => undefined))
      deployer = await revive(dying)
      // When the answer was lost, the deployment may exist all the same; then it is carried out.
      const id = answered ?? deployer.node.deployments.list()[0]?.id
      expect(n === 1 ? id === undefined : id !== undefined).toBe(true)
      if (id !== undefined) {
        const status = await clock.run(until(deployer, id, 'Completed'))
        expect(status.allocations?.['node1.job']).toMatchObject({ status: 'completed' })
      }
      await expectNothingLeft()
    })

    test.each(Array.from({ length: 12 }, (_, index) => index + 1))('the provider, at write %i', async (n) => {
      const dying = await clock.run(dieAtWrite(provider, n))
      provider = dying.node
      const id = await clock.run(deploy(deployer, wire))
      provider = await revive(dying)
      const status = await clock.run(until(deployer, id, 'Completed'))
      expect(status.allocations?.['node1.job']).toMatchObject({ status: 'completed' })
      await expectNothingLeft()
    })
  })
})
