import { bytes, isJsonObject, type JsonValue, unreachable } from '../../base/index.ts'
import type { EnsembleAllocation, EnsembleConfig, GpuNeed, ObjectStore, Outputs, Volume, WireGpu } from '../../protocol/index.ts'
import type { Blueprint, BlueprintAllocation, BlueprintNode } from './plan.ts'

/** Derives from an ensemble what its orchestrator needs. */
export function toBlueprint(ensemble: EnsembleConfig): Blueprint {
  const allocations = new Map<string, BlueprintAllocation>()
  const nodes: BlueprintNode[] = []
  for (const [node, { allocations: names, location, peer }] of ensemble.nodes) {
    nodes.push({ name: node, peer: peer ?? '', place: location, allocations: names })
    for (const name of names) {
      const allocation = ensemble.allocations.get(name)
      if (allocation !== undefined) allocations.set(name, toAllocation(name, node, allocation, ensemble.scripts))
    }
  }
  return { nodes, allocations, excludedPeers: ensemble.excludePeers }
}

function toAllocation(
  name: string,
  node: string,
  allocation: EnsembleAllocation,
  scripts: EnsembleConfig['scripts']
): BlueprintAllocation {
  const { type, executor, resources, execution, dependsOn, dnsName, provision, keys, volumes, outputs } = allocation
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
    volumes: [...volumes.map(toWireVolume), ...(outputs === undefined ? [] : [toOutputVolume(outputs)])],
    hasOutputs: outputs !== undefined,
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

/** The directory of outputs is a volume for the provider. */
function toOutputVolume({ path, publish }: Outputs): JsonValue {
  const target =
    publish === undefined
      ? {}
      : { publish: { type: publish.type, ...toWireStore(publish), ...written({ prefix: publish.prefix }) } }
  return { type: 'outputs', mount_destination: path, read_only: false, ...target }
}

/** The index is that of a card in somebody's machine: which one, no user can know. */
function toWireGpu({ vendor = '', model = '', uuid = '', pciAddress = '', vram = bytes(0) }: GpuNeed): WireGpu {
  return { index: 0, vendor, model, uuid, pciAddress, vram }
}

/** As providers read it: only what is written. */
function toWireVolume(volume: Volume): JsonValue {
  const mount = { mount_destination: volume.mountDestination, read_only: volume.readOnly }
  switch (volume.type) {
    case 'local':
      return { type: 'local', src: volume.src, ...mount }
    case 's3': {
      const { key, prefix, sha256 } = volume
      return { type: 's3', ...toWireStore(volume), ...written({ key, prefix, sha256 }), ...mount }
    }
    case 'glusterfs': {
      const { name, servers, clientPrivateKey, clientPem, clientCa } = volume
      return {
        ...{ type: 'glusterfs', name, servers, ...mount },
        ...{ client_private_key: clientPrivateKey, client_pem: clientPem, client_ca: clientCa }
      }
    }
    default:
      return unreachable(volume)
  }
}

function toWireStore({ bucket, endpoint, region, accessKeyId, secretAccessKey, sessionToken }: ObjectStore) {
  const keys = { access_key_id: accessKeyId, secret_access_key: secretAccessKey, session_token: sessionToken }
  return { bucket, ...written({ endpoint, region, ...keys }) }
}

function written(fields: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}
