import type { GpuNeed, ResourceNeed } from '../model.ts'
import { defaulted, type ObjectSchema, object, optional, required } from '../object-schema.ts'
import { integer, list, number, type Schema, text } from '../schema.ts'
import { fromTemplate } from './names.ts'
import { clock, size } from './quantities.ts'

/** A description that the owner of a machine gave; empty means that there is none. */
const free = text({ max: 256, isBlankNone: true })
const strict = text({ max: 256 })
const count = integer({ above: 0, isBlankNone: true })

/** Beyond this no machine exists; keeps arithmetic on cores exact. */
const MAX_CORES = 65_536

/** Processor that an allocation needs. */
export const cpuSchema: ObjectSchema<ResourceNeed['cpu']> = object('processor', {
  cores: required('cores', number({ above: 0, max: MAX_CORES }), 'number of cores, fractions allowed'),
  clockHz: optional('clock_speed', clock, 'least clock speed', { aliases: ['clockspeed'] }),
  architecture: optional('architecture', strict, '`x86_64` or `aarch64`'),
  model: optional('model', free, 'model of the processor'),
  vendor: optional('vendor', free, 'maker of the processor'),
  threads: optional('threads', count, 'least number of threads'),
  cacheSize: optional('cache_size', count, 'least cache in bytes', { aliases: ['cachesize'] })
})

/** Memory that an allocation needs. */
export const ramSchema: ObjectSchema<ResourceNeed['ram']> = object('memory', {
  size: required('size', size, 'memory of the workload, for example 0.5 or 512MiB'),
  clockSpeed: optional('clock_speed', count, 'least clock speed in MHz', { aliases: ['clockspeed'] }),
  type: optional('type', free, 'kind of memory')
})

/** Disk that an allocation needs. */
export const diskSchema: ObjectSchema<ResourceNeed['disk']> = object('disk', {
  size: required('size', size, 'disk space of the workload, for example 2 or 100MiB'),
  type: optional('type', strict, 'kind of disk, for example `ssd`'),
  model: optional('model', free, 'model of the disk'),
  vendor: optional('vendor', free, 'maker of the disk'),
  interface: optional('interface', free, 'how the disk is connected'),
  readSpeed: optional('read_speed', count, 'least speed of reading', { aliases: ['readspeed'] }),
  writeSpeed: optional('write_speed', count, 'least speed of writing', { aliases: ['writespeed'] })
})

/** Graphics card that an allocation needs; one entry per card (C §15.1, 2). */
export const gpuSchema: ObjectSchema<GpuNeed> = object('graphics card', {
  vendor: optional('vendor', strict, 'NVIDIA, AMD/ATI or Intel'),
  model: optional('model', strict, 'model of the card'),
  vram: optional('vram', size, 'least memory of the card'),
  index: optional('index', integer({ min: 0, max: 255 }), 'number of the card in its machine'),
  uuid: optional('uuid', free, 'identity of one card'),
  pciAddress: optional('pci_address', free, 'address of one card')
})

const MAX_GPUS = 64

/** Resources written out. */
export const resourcesSchema: ObjectSchema<ResourceNeed> = object(
  'resources',
  {
    cpu: required('cpu', cpuSchema, 'the processor, at least its cores'),
    gpus: defaulted('gpus', list(gpuSchema, MAX_GPUS), [], 'graphics cards'),
    ram: required('ram', ramSchema, 'the memory, at least its size'),
    disk: required('disk', diskSchema, 'the disk, at least its size')
  },
  { ignored: ['name'] }
)

/** Resources written out, or the name of a template. */
export const resources: Schema<ResourceNeed> = fromTemplate('resources', resourcesSchema)
