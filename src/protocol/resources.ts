import { define } from './behavior.ts'
import {
  flag,
  integer,
  list,
  maybe,
  measured,
  member,
  nothing,
  type ObjectOf,
  object,
  quantity,
  text,
  type WireCodec
} from './codec.ts'

const size = measured('bytes', integer({ min: 0 }))

const cpuMembers = {
  clockHz: member('clock_speed', measured('Hz', quantity(1e15)), 'clockspeed'),
  cores: member('cores', quantity(1_000_000)),
  model: member('model', text()),
  vendor: member('vendor', text()),
  threads: member('threads', integer()),
  architecture: member('architecture', text()),
  cacheBytes: member('cache_size', measured('bytes', integer()), 'cachesize')
} as const

const gpuMembers = {
  index: member('index', integer()),
  vendor: member('vendor', text()),
  pciAddress: member('pci_address', text(), 'pciaddress'),
  model: member('model', text()),
  vram: member('vram', size),
  uuid: member('uuid', text())
} as const

const resourcesMembers = {
  cpu: member('cpu', object(cpuMembers)),
  gpus: member('gpus', list(object(gpuMembers), 64)),
  ram: member(
    'ram',
    object({ size: member('size', size), clockSpeed: member('clock_speed', integer()), type: member('type', text()) })
  ),
  disk: member('disk', object({ size: member('size', size), type: member('type', text()) }))
} as const

/** Resources as they travel (C §4.1): sizes in bytes, clock in Hz, cores with fractions. */
export type WireResources = ObjectOf<typeof resourcesMembers>

/** Codec of {@link WireResources}. */
export const resources: WireCodec<WireResources> = object(resourcesMembers)

/** A graphics card as it travels. */
export type WireGpu = ObjectOf<typeof gpuMembers>

const resourcesReply = object({
  ok: member('OK', flag),
  resources: member('Resources', resources),
  error: maybe('error', text())
})

function resourceBehavior(name: string, summary: string) {
  return define({ name, callers: 'root', summary, request: nothing, reply: resourcesReply })
}

/** What is lent and not promised to anybody. */
export const resourcesFree = resourceBehavior(
  '/dms/node/resources/free',
  'What the owner lends and nobody uses: onboarded minus promised minus allocated.'
)

/** What running allocations hold. */
export const resourcesAllocated = resourceBehavior('/dms/node/resources/allocated', 'What running allocations hold.')

/** What the owner lends. */
export const resourcesOnboarded = resourceBehavior('/dms/node/resources/onboarded', 'What the owner lends.')

/** What the machine has. */
export const hardwareSpec = resourceBehavior('/dms/node/hardware/spec', 'What the machine has.')

/** What the machine uses. */
export const hardwareUsage = resourceBehavior(
  '/dms/node/hardware/usage',
  'What the whole machine uses now, by this node and by everything else: busy cores over a fifth of a second, memory, disk.'
)
