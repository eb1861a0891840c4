import { setTimeout as pause } from 'node:timers/promises'
import { encodeGoJson, type JsonValue, millis, parseJson, seconds } from '../src/base/index.ts'
import {
  deploymentNew,
  deploymentShutdown,
  deploymentStatus,
  encodeEnsemble,
  type PublicBehavior,
  parseEnsemble
} from '../src/protocol/index.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, type Subject } from './support/compare.ts'
import { isBuilt } from './support/dms.ts'
import { BENCH_IMAGE, containersOf, docker, prepareImage, removeContainersOf, whyNoDocker } from './support/docker.ts'
import { createMachine, type Machine, trust } from './support/machine.ts'
import type { Scratch } from './support/scratch.ts'

const ROUNDS = 7
/** How often the state of a deployment is looked at; half of it is the error. */
const POLL_MS = 10
/** Longer than any measurement takes; shutting down ends it. */
const WORK = ['sleep', '600']

/** How long until a job runs on another machine, to Docker starting the same container without anybody in between. */
export const deployment: Benchmark = {
  name: 'deployment',
  title: 'Deploy to running, on another node that is named in the ensemble, to a plain docker run',
  unit: 'ms',
  async available() {
    const built = await isBuilt()
    return built === true ? whyNoDocker() : built
  },
  async run(scratch: Scratch): Promise<Outcome> {
    await prepareImage(scratch)
    const [provider, deployer] = [await createMachine(scratch, 'provider'), await createMachine(scratch, 'deployer')]
    scratch.defer(() => removeContainersOf(provider.node.peerId))
    await trust(provider, deployer)
    await trust(deployer, provider)
    await provider.start()
    await deployer.start()
    await introduce(provider, deployer)
    const comparison = await compare(plainRun(), [deploy(deployer, provider.node.peerId)], ROUNDS)
    return {
      ...comparison,
      notes: ['two daemons as processes; with an ensemble that names no machine, bids are collected for 5 s more']
    }
  }
}

function plainRun(): Subject {
  return {
    name: `docker run --detach ${BENCH_IMAGE}`,
    async measure() {
      const start = performance.now()
      const id = await docker('run', '--detach', BENCH_IMAGE, ...WORK)
      const elapsed = performance.now() - start
      await docker('rm', '--force', id.trim())
      return elapsed
    }
  }
}

function deploy(deployer: Machine, provider: string): Subject {
  const ensemble = ensembleFor(provider)
  return {
    name: 'deployment of that container until its state is Running',
    async measure() {
      const start = performance.now()
      const { ensembleId: id = '', error } = await call(deployer, deploymentNew, { ensemble })
      if (id === '') throw new Error(`the deployment was refused: ${error}`)
      await reach(deployer, id, 'Running')
      const elapsed = performance.now() - start
      if ((await containersOf(provider)).length !== 1)
        throw new Error('the deployment is said to run, but its container does not')
      await call(deployer, deploymentShutdown, { id })
      await reach(deployer, id, 'Completed')
      return elapsed
    }
  }
}

async function reach(deployer: Machine, id: string, wanted: 'Running' | 'Completed'): Promise<void> {
  for (;;) {
    const { status, error } = await call(deployer, deploymentStatus, { id })
    if (status === wanted) return
    if (status === 'Failed' || status === 'Completed') throw new Error(`the deployment is ${status}: ${error}`)
    await pause(POLL_MS)
  }
}

async function introduce(provider: Machine, deployer: Machine): Promise<void> {
  const self = JSON.parse(await provider.nunet(['actor', 'cmd', '-c', 'user', '/dms/node/peers/self'])) as {
    readonly listen_addr: string
  }
  const [address = ''] = self.listen_addr.split(', ')
  await deployer.nunet(['actor', 'cmd', '-c', 'user', '/dms/node/peers/connect', '--address', address])
  const { ram } = await hardwareOf(provider)
  const offer = ['--cpu', '1', '--ram', `${Math.floor(ram / 2 / 2 ** 20)}MiB`, '--disk', '2GiB', '--no-gpu']
  await provider.nunet(['actor', 'cmd', '-c', 'user', '/dms/node/onboarding/onboard', ...offer])
}

async function hardwareOf(machine: Machine): Promise<{ readonly ram: number }> {
  const reply = await machine.nunet(['actor', 'cmd', '-c', 'user', '/dms/node/hardware/spec'])
  const { Resources } = JSON.parse(reply) as { readonly Resources: { readonly ram: { readonly size: number } } }
  return { ram: Resources.ram.size }
}

/** The owner's call of a behaviour, without the start of a process in between. */
async function call<Request, Reply>(
  { session }: Machine,
  behavior: PublicBehavior<Request, Reply>,
  request: Request
): Promise<Reply> {
  const payload = parseJson(encodeGoJson(behavior.request.encode(request)))
  if (!payload.ok) throw new Error(payload.error.message)
  const answer = await session.invoke({ behavior: behavior.name, payload: payload.value, timeout: millis(seconds(90)) })
  const reply = behavior.reply.decode(answer)
  if (!reply.ok) throw new Error(`${behavior.name} answered ${encodeGoJson(answer)}`)
  return reply.value
}

function ensembleFor(peer: string): JsonValue {
  const text = encodeGoJson({
    version: 'V1',
    allocations: {
      work: {
        type: 'task',
        executor: 'docker',
        resources: { cpu: { cores: 0.5 }, ram: { size: '64MiB' }, disk: { size: '16MiB' } },
        execution: { type: 'docker', image: BENCH_IMAGE, cmd: WORK }
      }
    },
    nodes: { there: { allocations: ['work'], peer } }
  })
  const parsed = parseEnsemble(text, { environment: {} })
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join('; '))
  const json = parseJson(encodeGoJson(encodeEnsemble(parsed.ensemble)))
  if (!json.ok) throw new Error(json.error.message)
  return json.value
}
