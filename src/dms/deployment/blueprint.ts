import { bytes, isJsonObject, type JsonValue } from '../../base/index.ts'
import type { EnsembleAllocation, EnsembleConfig, GpuNeed, PortRequest, Volume, WireGpu } from '../../protocol/index.ts'
import type { Blueprint, BlueprintAllocation, BlueprintNode, PortMapping } from './plan.ts'

/** Derives from an ensemble what its orchestrator needs. */
export function toBlueprint(ensemble: EnsembleConfig): Blueprint {
  const allocations = new Map<string, BlueprintAllocation>()
  const nodes: BlueprintNode[] = []
  for (const [node, { allocations: names, location, peer, ports }] of ensemble.nodes) {
    nodes.push({ name: node, peer: peer ?? '', place: location, allocations: names })
    for (const name of names) {
      const allocation = ensemble.allocations.get(name)
      if (allocation === undefined) continue
      const own = ports.filter((port) => port.allocation === name)
      allocations.set(name, { ...toAllocation(name, node, allocation, ensemble.scripts), ports: own.map(toPortMapping) })
    }
  }
  return { nodes, allocations, excludedPeers: ensemble.excludePeers }
}

function toAllocation(
  name: string,
  node: string,
  allocation: EnsembleAllocation,
  scripts: EnsembleConfig['scripts']
): Omit<BlueprintAllocation, 'ports'> {
  const { type, executor, resources, execution, dependsOn, dnsName, provision, keys, volumes } = allocation
  const { cpu, ram, disk, gpus } = resources
  return {
    name,
    node,
    type,
    executor,
    params: execution.params,
    scripts: provision.flatMap((script) => {
      const content = scripts.get(script)
      return content === undefined ? [] : [{ name: script, content }]
    }),
    keys,
    volumes: volumes.map(toWireVolume),
    cpuCores: cpu.cores,
    clockHz: cpu.clockHz ?? 0,
    architecture: cpu.architecture ?? '',
    memory: ram.size,
    disk: disk.size,
    gpus: gpus.map(toWireGpu),
    privileged: isJsonObject(execution.params) && execution.params['privileged'] === true,
    dependsOn,
    dnsName
  }
}

function toPortMapping(port: PortRequest): PortMapping {
  return { public: port.public, private: port.private }
}

/** The index is that of a card in somebody's machine: which one, no user can know. */
function toWireGpu({ vendor = '', model = '', uuid = '', pciAddress = '', vram = bytes(0) }: GpuNeed): WireGpu {
  return { index: 0, vendor, model, uuid, pciAddress, vram }
}

function toWireVolume(volume: Volume): JsonValue {
  const mount = { mount_destination: volume.mountDestination, read_only: volume.readOnly }
  if (volume.type === 'local') return { type: 'local', src: volume.src, ...mount }
  const { name, servers, clientPrivateKey, clientPem, clientCa } = volume
  return {
    ...{ type: 'glusterfs', name, servers, ...mount },
    ...{ client_private_key: clientPrivateKey, client_pem: clientPem, client_ca: clientCa }
  }
}
