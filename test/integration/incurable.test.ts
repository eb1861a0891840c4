import { afterEach, beforeEach, expect, test } from 'vitest'
import { gibibytes, type JsonValue, minutes, seconds } from '../../src/base/index.ts'
import { deploymentNew, deploymentStatus, onboard } from '../../src/protocol/index.ts'
import { type Cluster, type ClusterNode, createCluster, createVirtualClock, type VirtualClock } from '../../src/testing/index.ts'
import { rootOf } from '../support/root-of.ts'

const OFFER = {
  cpu: { clockHz: 0, cores: 4, model: '', vendor: '', threads: 0, architecture: '', cacheBytes: 0 },
  gpus: [],
  ram: { size: gibibytes(4), clockSpeed: 0, type: '' },
  disk: { size: gibibytes(8), type: '' }
}

let clock: VirtualClock
let cluster: Cluster
let deployer: ClusterNode
let providers: readonly ClusterNode[]

beforeEach(async () => {
  clock = createVirtualClock()
  cluster = await createCluster(clock)
  deployer = await cluster.start()
  providers = [await cluster.start(), await cluster.start()]
  for (const provider of providers) {
    await cluster.trust(provider, deployer)
    await cluster.trust(deployer, provider)
  }
})

afterEach(async () => {
  await clock.run(cluster.dispose())
})

/** A job whose exit code no executor takes. */
async function deploy(): Promise<{ readonly status: string; readonly error: string }> {
  const job = {
    ...{ type: 'task', executor: 'null', execution: { type: 'null', params: { exit_code: 999 } } },
    resources: { cpu: { cores: 1 }, ram: { size: gibibytes(1) }, disk: { size: gibibytes(1) } }
  }
  const ensemble: JsonValue = { v1: { allocations: { job }, nodes: { node1: { allocations: ['job'] } } } }
  const { root } = deployer.actors
  const asked = await clock.run(root.invoke(rootOf(deployer), deploymentNew, { ensemble }, { timeout: minutes(30) }))
  await clock.run(clock.sleep(seconds(40)))
  const { status, error } = await clock.run(root.invoke(rootOf(deployer), deploymentStatus, { id: asked.ensembleId ?? '' }))
  return { status, error: error ?? '' }
}

test.each([1, 2])('a job that %d providers refuse for what it says fails within seconds, with the reason', async (count) => {
  const lend = { noGpu: true, gpus: [], config: { resources: OFFER } }
  for (const provider of providers.slice(0, count)) {
    await clock.run(provider.actors.root.invoke(rootOf(provider), onboard, lend))
  }
  const { status, error } = await deploy()
  expect(status).toBe('Failed')
  expect(error).toContain('exit_code')
  for (const provider of providers) expect(provider.node.ledger.commitments().size).toBe(0)
})
