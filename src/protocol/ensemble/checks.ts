import type { EnsembleAllocation, EnsembleNode, SupervisorTree } from './model.ts'
import { type Finding, type Outline, type Path, type Reading, suggestion } from './reading.ts'

/**
 * What no part can see alone (C §7.6): every reference exists, every allocation has one node, names inside the subnet differ,
 * dependencies have no cycle. Looks at everything that was understood, so that one mistake does not hide another.
 */
export function crossCheck(reading: Reading): readonly Finding[] {
  const scene = sceneOf(reading)
  const edgesName = reading.dialect === 'file' ? 'edge_constraints' : 'edges'
  return [
    ...[...scene.nodes].flatMap(([name, node]) => checkNode(name, node, scene)),
    ...checkPlacement(scene),
    ...[...scene.allocations].flatMap(([name, allocation]) => checkAllocation(name, allocation, scene)),
    ...checkDnsNames(scene),
    ...checkCycles(scene),
    ...checkEdges(scene, edgesName),
    ...checkSupervisor(scene.ensemble.supervisor, ['supervisor'], scene)
  ]
}

/** What the checks look at, with what several of them need. */
interface Scene extends Outline {
  /** The first node of each allocation that has one. */
  readonly homes: ReadonlyMap<string, string>
  /** Empty on the wire: nobody there mends spelling, and a sender could make us compare a lot. */
  readonly hint: (wanted: string, candidates: Iterable<string>) => string
}

function sceneOf({ outline, dialect }: Reading): Scene {
  const homes = new Map<string, string>()
  for (const [node, { allocations = [] }] of outline.nodes) {
    for (const name of allocations) if (!homes.has(name)) homes.set(name, node)
  }
  return { ...outline, homes, hint: dialect === 'file' ? suggestion : () => '' }
}

function unknownAllocation(name: string, path: Path, { allocations, hint }: Scene): Finding[] {
  if (allocations.has(name)) return []
  return [{ path, message: `there is no allocation ${name}${hint(name, allocations.keys())}` }]
}

function checkNode(name: string, node: Partial<EnsembleNode>, scene: Scene): Finding[] {
  const at: Path = ['nodes', name]
  const names = node.allocations ?? []
  const { peer } = node
  const isExcluded = peer !== undefined && scene.ensemble.excludePeers?.includes(peer) === true
  return [
    ...names.flatMap((allocation, index) => unknownAllocation(allocation, [...at, 'allocations', String(index)], scene)),
    ...checkPorts(node, at, scene),
    ...(isExcluded ? [{ path: [...at, 'peer'], message: `${peer} is also in exclude_peers` }] : [])
  ]
}

function checkPorts({ ports = [], allocations }: Partial<EnsembleNode>, node: Path, scene: Scene): Finding[] {
  const findings: Finding[] = []
  const taken = new Map<number, number>()
  for (const [index, { public: port, allocation }] of ports.entries()) {
    const at: Path = [...node, 'ports', String(index)]
    findings.push(...unknownAllocation(allocation, [...at, 'allocation'], scene))
    if (scene.allocations.has(allocation) && allocations?.includes(allocation) === false) {
      findings.push({
        path: [...at, 'allocation'],
        message: `${allocation} is not on this node, which has ${allocations.join(', ')}`
      })
    }
    const other = taken.get(port)
    if (other !== undefined) findings.push({ path: [...at, 'public'], message: `port ${port} is taken by ports.${other}` })
    if (port !== 0) taken.set(port, index)
  }
  return findings
}

function checkPlacement({ allocations, nodes }: Scene): Finding[] {
  const findings: Finding[] = []
  const homes = new Map<string, string>()
  for (const [node, { allocations: names = [] }] of nodes) {
    for (const [index, name] of names.entries()) {
      const home = homes.get(name)
      if (home !== undefined) {
        findings.push({
          path: ['nodes', node, 'allocations', String(index)],
          message: `${name} is on ${home === node ? 'this node twice' : `node ${home} too: an allocation has exactly one node`}`
        })
      }
      homes.set(name, node)
    }
  }
  // A node whose list was refused may be the home that seems to be missing.
  if ([...nodes.values()].some((node) => node.allocations === undefined) || nodes.size === 0) return findings
  const homeless = [...allocations.keys()].filter((name) => !homes.has(name))
  return [
    ...findings,
    ...homeless.map((name) => ({
      path: ['allocations', name],
      message: 'is on no node: add it to the allocations of a node, or remove it'
    }))
  ]
}

function checkAllocation(name: string, allocation: Partial<EnsembleAllocation>, scene: Scene): Finding[] {
  const at: Path = ['allocations', name]
  const { executor, execution, dependsOn = [], provision = [], contracts = [] } = allocation
  const { scripts, contracts: known } = scene.ensemble
  return [
    ...(executor !== undefined && execution !== undefined && executor !== execution.type
      ? [{ path: [...at, 'executor'], message: `is ${executor}, but execution.type is ${execution.type}: they must be the same` }]
      : []),
    ...dependsOn.flatMap((other, index) => checkDependency({ name, other, path: [...at, 'depends_on', String(index)], scene })),
    ...provision.flatMap((script, index) => {
      if (scripts === undefined || scripts.has(script)) return []
      const hint = scene.hint(script, scripts.keys())
      return [{ path: [...at, 'provision', String(index)], message: `there is no script ${script} in scripts${hint}` }]
    }),
    ...contracts.flatMap((contract, index) => {
      if (known === undefined || known.has(contract)) return []
      const hint = scene.hint(contract, known.keys())
      return [{ path: [...at, 'contracts', String(index)], message: `there is no contract ${contract} in contracts${hint}` }]
    })
  ]
}

interface Dependency {
  readonly name: string
  readonly other: string
  readonly path: Path
  readonly scene: Scene
}

function checkDependency({ name, other, path, scene }: Dependency): Finding[] {
  if (other === name) return [{ path, message: 'an allocation cannot depend on itself' }]
  if (!scene.allocations.has(other)) return unknownAllocation(other, path, scene)
  const mine = scene.homes.get(name)
  const theirs = scene.homes.get(other)
  if (mine === undefined || theirs === undefined || mine === theirs) return []
  return [{ path, message: `${other} is on node ${theirs}, not on ${mine}: a dependency must be on the same node` }]
}

function checkDnsNames({ allocations }: Scene): Finding[] {
  const owners = new Map<string, string>()
  const findings: Finding[] = []
  for (const [name, { dnsName = name }] of allocations) {
    const owner = owners.get(dnsName.toLowerCase())
    if (owner !== undefined) {
      findings.push({
        path: ['allocations', name, 'dns_name'],
        message: `${dnsName} is the name of ${owner} too: it must be unique`
      })
    }
    owners.set(dnsName.toLowerCase(), name)
  }
  return findings
}

/** Cycles beyond this are not told: a tangle has more of them than it has names. */
const MAX_CYCLES = 8

/** One finding per cycle, at the allocation that stands first in the file. */
function checkCycles({ allocations }: Scene): Finding[] {
  const findings: Finding[] = []
  const done = new Set<string>()
  function visit(name: string, trail: readonly string[]): void {
    const at = trail.indexOf(name)
    if (at >= 0 && at < trail.length - 1 && findings.length < MAX_CYCLES) {
      const cycle = [...trail.slice(at), name].join(' → ')
      findings.push({ path: ['allocations', trail[at] ?? name, 'depends_on'], message: `the dependencies go round: ${cycle}` })
    }
    if (at >= 0 || done.has(name)) return
    for (const other of allocations.get(name)?.dependsOn ?? []) visit(other, [...trail, name])
    done.add(name)
  }
  for (const name of allocations.keys()) visit(name, [])
  return findings
}

function checkEdges({ ensemble, nodes, hint }: Scene, edgesName: string): Finding[] {
  return (ensemble.edges ?? []).flatMap(({ source, target }, index) => {
    const path: Path = [edgesName, String(index)]
    if (source === target) return [{ path, message: `both ends are ${source}: an edge is between two nodes` }]
    return [source, target]
      .filter((name) => !nodes.has(name))
      .map((name) => ({ path, message: `there is no node ${name}${hint(name, nodes.keys())}` }))
  })
}

function checkSupervisor(supervisor: SupervisorTree | undefined, path: Path, scene: Scene): Finding[] {
  if (supervisor === undefined) return []
  return [
    ...supervisor.allocations.flatMap((name, index) => unknownAllocation(name, [...path, 'allocations', String(index)], scene)),
    ...supervisor.children.flatMap((child, index) => checkSupervisor(child, [...path, 'children', String(index)], scene))
  ]
}
