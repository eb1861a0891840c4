import { decodeBase64, encodeBase64, isJsonObject, type JsonValue, type Result } from '../../../base/index.ts'
import {
  type ContainerdParams,
  type DockerParams,
  type Execution,
  type FirecrackerParams,
  MAX_WASM_MODULE,
  type MicrovmParams,
  type NullParams,
  type OciParams,
  type WasmParams
} from '../model.ts'
import { defaulted, type ObjectSchema, object, optional, required } from '../object-schema.ts'
import { below, kindOf, type Place, refuse, suggestion } from '../reading.ts'
import { flag, integer, list, oneOf, prepared, refined, type Schema, text } from '../schema.ts'
import { duration } from './quantities.ts'

/** Linux refuses longer arguments. */
const MAX_ARGUMENT = 131_072

const argument = text({ max: MAX_ARGUMENT, mayBeEmpty: true })
const words = list(argument)

const variable = text({ about: '`KEY=VALUE`', max: MAX_ARGUMENT, pattern: /^[^=]+=/, expected: 'KEY=VALUE' })

/** Variables as `KEY=VALUE`; a file may also have a map (C §7.3, 3). */
const environment: Schema<readonly string[]> = {
  ...prepared(list(variable), (value, place) => (isJsonObject(value) ? variablesOf(value, place) : value)),
  about: 'list of `KEY=VALUE`, or a map'
}

function variablesOf(map: { readonly [name: string]: JsonValue }, place: Place): JsonValue {
  return Object.entries(map).map(([name, value]) => {
    if (name.includes('=')) refuse(below(place, name), 'must not have = in its name')
    return `${name}=${plainText(value, below(place, name))}`
  })
}

/** Numbers keep the form in which YAML has read them, which is only certain for whole ones. */
function plainText(value: JsonValue, place: Place): string {
  if (typeof value === 'string') return value
  if (value === null) return ''
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value))) return String(value)
  refuse(place, `must be a text, is ${kindOf(value)}: write it in quotes`)
  return ''
}

const HOST = '[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,253}[a-zA-Z0-9])?(?::[0-9]{1,5})?'
const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const IMAGE = new RegExp(`^(?:${HOST}/)?${COMPONENT}(?:/${COMPONENT})*(?::\\w[\\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`)

const image = text({
  about: 'image',
  max: 512,
  pattern: IMAGE,
  expected: 'an image such as registry.example/path/name:tag or name@sha256:…, the path in lower case'
})

const longText = text({ max: 4096 })

const login = object<{ readonly username: string; readonly password: string }>('login', {
  username: required('username', text({ max: 256 }), 'user at the registry'),
  password: required('password', longText, 'password at the registry')
})

/** Parameters of docker (C §7.5). */
export const dockerSchema: ObjectSchema<DockerParams> = object('docker', {
  image: required('image', image, 'the image to run'),
  entrypoint: defaulted('entrypoint', words, [], 'program instead of the image’s own'),
  cmd: defaulted('cmd', words, [], 'arguments instead of the image’s own'),
  environment: defaulted('environment', environment, [], 'variables of the process'),
  workingDirectory: optional('working_directory', longText, 'directory in which the process starts'),
  privileged: defaulted('privileged', flag, false, 'every right on the machine; the provider must allow it'),
  restartPolicy: optional(
    'restart_policy',
    oneOf(['no', 'on-failure', 'always', 'unless-stopped']),
    'read and kept; nothing acts on it yet'
  ),
  registryAuth: optional('registry_auth', login, 'for private images: `username` and `password`; the provider sees them'),
  user: optional('user', text({ max: 256 }), 'user of the process')
})

/** The first bytes of every WebAssembly module. */
const WASM_MAGIC = '\0asm'

/** A module: in a file a path or `base64:…`, on the wire base64. */
const wasmModule: Schema<Uint8Array> = {
  about: `file name, or \`base64:…\`, of a module of at most ${MAX_WASM_MODULE / 1024} KiB`,
  read(value, place) {
    if (typeof value !== 'string') return refuse(place, `must be a text, is ${kindOf(value)}`)
    const content = place.reading.dialect === 'wire' ? decodeModule(value) : moduleOf(value, place)
    if (!content.ok) return refuse(place, content.error)
    const { length } = content.value
    if (length > MAX_WASM_MODULE) return refuse(place, `has ${length} bytes, at most ${MAX_WASM_MODULE} fit into a message`)
    const magic = String.fromCharCode(...content.value.subarray(0, WASM_MAGIC.length))
    return magic === WASM_MAGIC ? content.value : refuse(place, 'is not a WebAssembly module')
  },
  encode: encodeBase64
}

const BASE64_PREFIX = 'base64:'

function moduleOf(value: string, { reading }: Place): Result<Uint8Array, string> {
  if (value.startsWith(BASE64_PREFIX)) return decodeModule(value.slice(BASE64_PREFIX.length))
  return reading.readBinary?.(value) ?? { ok: false, error: 'cannot be read here: give the module as base64:…' }
}

function decodeModule(encoded: string): Result<Uint8Array, string> {
  const length = Math.floor((encoded.length * 3) / 4)
  // Two bytes of slack for the padding; the exact length is compared after decoding.
  if (length > MAX_WASM_MODULE + 2)
    return { ok: false, error: `has ${length} bytes, at most ${MAX_WASM_MODULE} fit into a message` }
  return decodeBase64(encoded)
}

const wholeSeconds = refined(duration(1000, 'duration such as `90s`'), (value) =>
  value % 1000 === 0 && value <= 31_536_000_000 ? undefined : 'must be whole seconds, at most a year'
)

/** Parameters of WASM modules (ours). */
export const wasmSchema: ObjectSchema<WasmParams> = object(
  'wasm',
  {
    module: optional('module', wasmModule, 'the WASI preview 1 module to run, as a path relative to this file'),
    image: optional('image', image, 'instead of a module: the artefact of a registry that is one'),
    registryAuth: optional('registry_auth', login, 'for private artefacts: `username` and `password`; the provider sees them'),
    modulePath: optional('module_path', longText, 'instead of a module: its path below a volume of the allocation'),
    args: defaulted('args', words, [], 'arguments after the program’s name'),
    environment: defaulted('environment', environment, [], 'variables of the program'),
    timeout: optional('timeout', wholeSeconds, 'longest run'),
    cpuTime: optional('cpu_time', wholeSeconds, 'longest time on processors')
  },
  { note: checkModuleSource }
)

/** A module has exactly one source. */
function checkModuleSource(partial: Partial<WasmParams>, place: Place): void {
  const given = [
    ...(partial.module === undefined ? [] : ['module']),
    ...(partial.image === undefined ? [] : ['image']),
    ...(partial.modulePath === undefined ? [] : ['module_path'])
  ]
  if (given.length === 1 || place.reading.errors.length > 0) return
  const path = given.length === 0 ? below(place, 'module') : below(place, given[1] ?? '')
  refuse(
    path,
    given.length === 0 ? 'is missing: the module, or image or module_path' : `stands beside ${given[0]}: a module has one source`
  )
}

/** What the reference does not know of micro machines. */
const machineFields = {
  engine: optional('engine', oneOf(['auto', 'qemu']), 'what makes the machine'),
  image: optional('image', image, 'instead of a root file system: an image of a registry, of which one is made'),
  registryAuth: optional('registry_auth', login, 'for private images: `username` and `password`; the provider sees them'),
  drives: defaulted('drives', words, [], 'further disks: names among the provider’s images of machines'),
  command: defaulted('command', words, [], 'program instead of the image’s own, or of the `/sbin/init` of the root file system'),
  environment: defaulted('environment', environment, [], 'variables of the program'),
  workingDirectory: optional('working_directory', longText, 'directory in which the program starts'),
  kernelArgs: optional('kernel_args', longText, 'arguments of the kernel'),
  initrd: optional('initrd', longText, 'path of the initial file system; refused by providers of this version', {
    aliases: ['initrd_path']
  }),
  mmdsMessage: optional('mmds_message', text(), 'metadata that the machine finds in `/run/nunet-metadata`')
}

/** Parameters of micro machines (ours). */
export const microvmSchema: ObjectSchema<MicrovmParams> = object('microvm', {
  kernelImage: optional(
    'kernel_image',
    longText,
    'name of a kernel among the provider’s images of machines; `default` for its own'
  ),
  rootFileSystem: optional(
    'root_file_system',
    longText,
    'name of a disk among the provider’s images of machines; without it and `image`, busybox in memory'
  ),
  ...machineFields
})

/** Parameters of micro machines, as the reference has them. */
export const firecrackerSchema: ObjectSchema<FirecrackerParams> = object('firecracker', {
  kernelImage: required(
    'kernel_image',
    longText,
    'name of a kernel among the provider’s images of machines; `default` for its own'
  ),
  rootFileSystem: required('root_file_system', longText, 'name of a disk among the provider’s images of machines'),
  ...machineFields
})

/** Parameters of containers without a daemon (ours). */
export const ociSchema: ObjectSchema<OciParams> = object('oci', {
  image: required('image', image, 'the image to run'),
  entrypoint: defaulted('entrypoint', words, [], 'program instead of the image’s own'),
  cmd: defaulted('cmd', words, [], 'arguments instead of the image’s own'),
  environment: defaulted('environment', environment, [], 'variables of the process'),
  workingDirectory: optional('working_directory', longText, 'directory in which the process starts'),
  user: optional('user', text({ max: 256 }), 'user of the process: `name`, `uid`, either with `:group`'),
  readOnly: defaulted('read_only', flag, false, 'the root of the container cannot be written to'),
  registryAuth: optional('registry_auth', login, 'for private images: `username` and `password`; the provider sees them')
})

/** Parameters of containerd: of the reference; the executor `oci` runs them. */
export const containerdSchema: ObjectSchema<ContainerdParams> = object('containerd', {
  image: required('image', image, 'the image to run'),
  entrypoint: defaulted('entrypoint', words, [], 'program instead of the image’s own'),
  cmd: defaulted('cmd', words, [], 'arguments instead of the image’s own'),
  environment: defaulted('environment', environment, [], 'variables of the process'),
  workingDirectory: optional('working_directory', longText, 'directory in which the process starts'),
  runtime: optional('runtime', oneOf(['runc', 'kata']), 'what isolates the process; `kata` is not here')
})

/** What the executor that runs nothing pretends to have run. */
export const nullSchema: ObjectSchema<NullParams> = object('null', {
  durationMs: optional('duration_ms', integer({ min: 0 }), 'milliseconds until it ends; at once without'),
  forever: optional('forever', flag, 'it ends only when it is stopped'),
  exitCode: optional('exit_code', integer({ min: 0 }), 'exit code it ends with; 0 without'),
  stdout: optional('stdout', longText, 'output'),
  stderr: optional('stderr', longText, 'error output')
})

/** Executors that the grammar knows. */
export const EXECUTORS = ['docker', 'oci', 'microvm', 'wasm', 'null', 'firecracker', 'containerd'] as const

/** Parameters as they came, of an executor that only a plugin knows. */
const foreign: Schema<JsonValue> = { about: 'anything', read: (value) => value, encode: (value) => value }

/** Schema of the parameters of one executor; nothing for a name that is not accepted. */
function schemaOf(type: string, extra: readonly string[] = []): Schema<JsonValue> | undefined {
  switch (type) {
    case 'docker':
      return canonical(dockerSchema)
    case 'oci':
      return canonical(ociSchema)
    case 'wasm':
      return canonical(wasmSchema)
    case 'microvm':
      return canonical(microvmSchema)
    case 'firecracker':
      return canonical(firecrackerSchema)
    case 'containerd':
      return canonical(containerdSchema)
    case 'null':
      return canonical(nullSchema)
    default:
      return extra.includes(type) ? foreign : undefined
  }
}

/** Reads and writes back, so that only checked parameters in one form travel on. */
function canonical<T>(schema: Schema<T>): Schema<JsonValue> {
  return {
    ...schema,
    read(value, place) {
      const params = schema.read(value, place)
      // What a schema writes is JSON; `encode` has the type of foreign codecs.
      return params === undefined ? undefined : (schema.encode(params) as JsonValue)
    },
    encode: (value) => value
  }
}

/** An executor's name, also of those in the options of the reading. */
export const executorName: Schema<string> = {
  about: EXECUTORS.map((name) => `\`${name}\``).join(', '),
  read(value, place) {
    const names = [...EXECUTORS, ...(place.reading.executors ?? [])]
    if (typeof value === 'string' && names.includes(value)) return value
    const given = typeof value === 'string' ? `${JSON.stringify(value.slice(0, 64))}${suggestion(value, names)}` : kindOf(value)
    return refuse(place, `must be one of ${names.join(', ')}, is ${given}`)
  },
  encode: (value) => value
}

/** `execution`: `{type, …}` in a file, also with the rest under `params`; `{type, params}` on the wire (C §7.3, 5). */
export const execution: Schema<Execution> = {
  about: 'map with `type` and what the executor needs',
  read(value, place) {
    if (!isJsonObject(value)) return refuse(place, `must be a map with type, is ${kindOf(value)}`)
    const { type, rest, params } = split(value)
    const isNull = type?.value === null && place.reading.dialect === 'file'
    const at = below(place, type?.name ?? 'type')
    if (type === undefined || (type.value === null && !isNull))
      return refuse(at, 'is missing: the executor, the same as in executor')
    const name = executorName.read(isNull ? 'null' : type.value, at)
    const schema = name === undefined ? undefined : schemaOf(name, place.reading.executors)
    if (name === undefined || schema === undefined) return undefined
    const read = readParams(schema, { rest, params, place })
    return read === undefined ? undefined : { type: name, params: read }
  },
  encode: ({ type, params }) => ({ type, params })
}

interface NamedValue {
  readonly name: string
  readonly value: JsonValue
}

interface SplitExecution {
  readonly type: NamedValue | undefined
  readonly params: NamedValue | undefined
  readonly rest: { readonly [name: string]: JsonValue }
}

function split(value: { readonly [name: string]: JsonValue }): SplitExecution {
  const members = Object.entries(value).map(([name, member]) => ({ name, value: member }))
  const type = members.find(({ name }) => name.toLowerCase() === 'type')
  const params = members.find(({ name }) => name.toLowerCase() === 'params')
  const others = members.filter((member) => member !== type && member !== params)
  return { type, params, rest: Object.fromEntries(others.map(({ name, value: member }) => [name, member])) }
}

interface ParamsTask extends Omit<SplitExecution, 'type'> {
  readonly place: Place
}

function readParams(schema: Schema<JsonValue>, { rest, params, place }: ParamsTask): JsonValue | undefined {
  if (place.reading.dialect === 'wire') return schema.read(params?.value ?? {}, below(place, 'params'))
  if (params === undefined || params.value === null) return schema.read(rest, place)
  for (const name of Object.keys(rest)) {
    place.reading.warn([...place.path, name], `is ignored: the parameters are in ${params.name}`)
  }
  return schema.read(params.value, below(place, params.name))
}
