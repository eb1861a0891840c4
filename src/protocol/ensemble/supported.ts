import { type Issue, isJsonObject } from '../../base/index.ts'
import type { EnsembleAllocation, EnsembleConfig, EnsembleNode } from './model.ts'
import type { Finding } from './reading.ts'
import { toIssue } from './wire.ts'

/** Executors that this version runs. */
const RUNNABLE = ['docker', 'oci', 'containerd', 'microvm', 'firecracker', 'wasm', 'null'] as const

/** What a check is told about this machine. */
export interface SupportOptions {
  /** Names of executors that plugins add. */
  readonly executors?: readonly string[]
}

/**
 * What an ensemble asks for that this version cannot do; such an ensemble must be refused, not half run.
 *
 * Messages name the part: `allocations.web.volume: volumes are not supported by this version yet`.
 */
export function checkSupported(config: EnsembleConfig, options: SupportOptions = {}): readonly Issue[] {
  return findUnsupported(config, options).map(toIssue)
}

/** What an ensemble says that nothing acts on yet: it runs all the same, and the user should know. */
export function checkActedOn(config: EnsembleConfig): readonly Issue[] {
  return findNotActedOn(config).map(toIssue)
}

/** {@link checkSupported} with paths in steps. */
export function findUnsupported(config: EnsembleConfig, { executors = [] }: SupportOptions): readonly Finding[] {
  const runnable: readonly string[] = [...RUNNABLE, ...executors]
  return [
    ...[...config.allocations].flatMap(([name, allocation]) => allocationGaps(['allocations', name], allocation, runnable)),
    ...[...config.nodes].flatMap(([name, node]) => nodeGaps(['nodes', name], node, config.allocations)),
    ...gap(config.edges.length > 0, ['edge_constraints'], 'edge constraints are'),
    ...gap(config.supervisor !== undefined, ['supervisor'], 'supervisor trees are'),
    ...gap(config.subnet.join, ['subnet', 'join'], 'joining the subnet is'),
    ...gap(config.contracts.size > 0, ['contracts'], 'contracts are')
  ]
}

function gap(isAsked: boolean, path: readonly string[], what: string): Finding[] {
  return isAsked ? [{ path, message: `${what} not supported by this version yet` }] : []
}

/** Executors whose workloads have no inside where files could lie. */
const WITHOUT_INSIDE: readonly string[] = ['null']
/** Executors whose workloads see nothing of the provider’s disk. */
const WITHOUT_VOLUMES: readonly string[] = ['null', 'microvm', 'firecracker']
/** Executors whose workloads have no shell. */
const WITHOUT_SHELL: readonly string[] = ['wasm', 'null']
/** Executors whose workloads publish no ports. */
const WITHOUT_PORTS: readonly string[] = ['wasm', 'oci', 'containerd', 'microvm', 'firecracker']
/** Executors whose workloads use no devices. */
const WITHOUT_CARDS: readonly string[] = ['wasm', 'microvm', 'firecracker']

function inside(isAsked: boolean, path: readonly string[], executor: string, lack: string, without = WITHOUT_INSIDE): Finding[] {
  return isAsked && without.includes(executor) ? [{ path, message: `the executor ${executor} ${lack}` }] : []
}

function allocationGaps(at: readonly string[], allocation: EnsembleAllocation, runnable: readonly string[]): Finding[] {
  const { executor, resources, healthcheck, keys, provision, volumes, outputs, contracts } = allocation
  const known = `(it runs ${runnable.join(', ')})`
  return [
    ...(runnable.includes(executor)
      ? []
      : [{ path: [...at, 'executor'], message: `the executor ${executor} is not supported by this version yet ${known}` }]),
    ...inside(
      isKata(allocation),
      [...at, 'execution', 'runtime'],
      executor,
      'has no kata here: micro-VMs are the executor firecracker',
      ['containerd']
    ),
    ...inside(
      resources.gpus.length > 0,
      [...at, 'resources', 'gpus'],
      executor,
      'gives no graphics cards to a workload',
      WITHOUT_CARDS
    ),
    ...gap(healthcheck !== undefined, [...at, 'healthcheck'], `health checks of type ${healthcheck?.type ?? ''} are`),
    ...inside(keys.length > 0, [...at, 'keys'], executor, 'puts no keys into a workload'),
    ...inside(provision.length > 0, [...at, 'provision'], executor, 'runs no scripts', WITHOUT_SHELL),
    ...inside(volumes.length > 0, [...at, 'volume'], executor, 'has no volumes', WITHOUT_VOLUMES),
    ...inside(outputs !== undefined, [...at, 'outputs'], executor, 'leaves no files', WITHOUT_VOLUMES),
    ...(outputs !== undefined && allocation.type !== 'task'
      ? [{ path: [...at, 'outputs'], message: 'only a task, which ends by itself, leaves outputs' }]
      : []),
    ...volumes.flatMap(({ type }, index) =>
      gap(type === 'glusterfs', [...at, 'volume', String(index), 'type'], `volumes of type ${type} are`)
    ),
    ...gap(contracts.length > 0, [...at, 'contracts'], 'contracts are')
  ]
}

function isKata({ execution: { params } }: EnsembleAllocation): boolean {
  return isJsonObject(params) && params['runtime'] === 'kata'
}

function nodeGaps(
  at: readonly string[],
  { ports, redundancy }: EnsembleNode,
  allocations: EnsembleConfig['allocations']
): Finding[] {
  return [
    ...ports.flatMap(({ allocation }, index) => {
      const { executor = '' } = allocations.get(allocation) ?? {}
      return inside(true, [...at, 'ports', String(index)], executor, 'gives no ports to a workload', WITHOUT_PORTS)
    }),
    ...gap(redundancy > 0, [...at, 'redundancy'], 'standby nodes are')
  ]
}

/** {@link checkActedOn} with paths in steps. */
export function findNotActedOn(config: EnsembleConfig): readonly Finding[] {
  return [
    ...inert(config.escalationStrategy, ['escalation_strategy']),
    ...[...config.allocations].flatMap(([name, { failureRecovery, execution }]) => [
      ...inert(failureRecovery === 'stay_down' ? undefined : failureRecovery, ['allocations', name, 'failure_recovery']),
      ...inert(restartPolicyOf(execution.params), ['allocations', name, 'execution', 'restart_policy'])
    ]),
    ...[...config.nodes].flatMap(([name, { failureRecovery }]) =>
      inert(failureRecovery === 'stay_down' ? undefined : failureRecovery, ['nodes', name, 'failure_recovery'])
    )
  ]
}

function inert(value: string | undefined, path: readonly string[]): Finding[] {
  return value === undefined ? [] : [{ path, message: `${value} is not acted on by this version yet: what fails stays down` }]
}

function restartPolicyOf(params: EnsembleAllocation['execution']['params']): string | undefined {
  const policy = isJsonObject(params) ? params['restart_policy'] : undefined
  return typeof policy === 'string' && policy !== 'no' ? policy : undefined
}
