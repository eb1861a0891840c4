import { type AccessKey, type EnsembleAllocation, type HealthCheck, MAX_NAMED, type Outputs, type Volume } from '../model.ts'
import { defaulted, type ObjectSchema, object, optional, required, tagged } from '../object-schema.ts'
import { flag, list, listOrItem, oneOf, refined, type Schema, text } from '../schema.ts'
import { execution, executorName } from './execution.ts'
import { fileName, fromTemplate, hostName, label } from './names.ts'
import { duration } from './quantities.ts'
import { resources } from './resources.ts'

const longText = text({ max: 4096 })
const NANOS_PER_MILLI = 1e6

const webAddress = text({
  about: 'URL',
  max: 2048,
  pattern: /^https?:\/\/[^\s]+$/,
  expected: 'a URL such as http://localhost:8080/health'
})

const whenUnwell = {
  interval: optional('interval', duration(1 / NANOS_PER_MILLI, 'duration such as `30s`'), 'time between two checks'),
  response: optional(
    'response',
    object<{ readonly type: string; readonly value: string }>('answer', {
      type: required('type', oneOf(['string']), 'how the answer is compared: string'),
      value: required('value', text({ max: 4096, mayBeEmpty: true }), 'the answer of a healthy workload')
    }),
    'what a healthy workload answers: `type: string` and `value`'
  )
}

/** A health check that runs a command inside the workload. */
export const commandCheckSchema: ObjectSchema<Extract<HealthCheck, { type: 'command' }>> = object('command check', {
  type: required('type', oneOf(['command']), 'command'),
  exec: required('exec', list(longText), 'the command and its arguments'),
  ...whenUnwell
})

/** A health check that asks an HTTP address. */
export const httpCheckSchema: ObjectSchema<Extract<HealthCheck, { type: 'http' }>> = object('http check', {
  type: required('type', oneOf(['http']), 'http'),
  endpoint: required('endpoint', webAddress, 'the address to ask'),
  ...whenUnwell
})

const healthcheck: Schema<HealthCheck> = tagged<HealthCheck>('type', { command: commandCheckSchema, http: httpCheckSchema })

/** A key for the workload. */
export const keySchema: ObjectSchema<AccessKey> = object('key', {
  type: required('type', oneOf(['ssh', 'gpg']), 'ssh or gpg'),
  file: required('file', text(), 'the key'),
  dest: optional('dest', longText, 'where the key is put; needed unless the type is ssh')
})

/** A key, with the rule about its destination. */
export const accessKey: Schema<AccessKey> = refined(keySchema, ({ type, dest }) =>
  type === 'gpg' && dest === undefined ? 'needs dest, the path inside the workload, because its type is gpg' : undefined
)

const absolutePath = text({ about: 'absolute path', max: 4096, pattern: /^\//, expected: 'an absolute path' })

/** Where a volume appears in the workload. */
const mounted = {
  mountDestination: required('mount_destination', absolutePath, 'absolute path in the container'),
  readOnly: defaulted('read_only', flag, false, 'the workload cannot change it')
}

/** A directory of the provider. */
export const localVolumeSchema: ObjectSchema<Extract<Volume, { type: 'local' }>> = object('local volume', {
  type: required('type', oneOf(['local']), 'local'),
  src: required(
    'src',
    text({
      about: 'absolute path or name',
      max: 4096,
      pattern: /^(?:\/.*|[a-zA-Z0-9][a-zA-Z0-9_.-]*)$/s,
      expected: 'an absolute path, or a name of letters, digits, dots, hyphens and underscores'
    }),
    'directory of the provider, or a name'
  ),
  ...mounted
})

/** A volume of a gluster cluster. */
export const glusterVolumeSchema: ObjectSchema<Extract<Volume, { type: 'glusterfs' }>> = object('glusterfs volume', {
  type: required('type', oneOf(['glusterfs']), 'glusterfs'),
  name: required('name', fileName, 'name of the volume in the cluster'),
  servers: required('servers', list(text({ max: 253 })), 'host names or addresses of the cluster'),
  clientPrivateKey: required('client_private_key', text(), 'the client’s private key'),
  clientPem: required('client_pem', text(), 'the client’s certificate'),
  clientCa: required('client_ca', text(), 'the certificate authority of the cluster'),
  ...mounted
})

const objectName = text({ max: 1024 })

const sha256Text = text({
  about: 'SHA-256',
  max: 71,
  pattern: /^(?:sha256:)?[0-9a-f]{64}$/,
  expected: 'a SHA-256 of 64 lower-case hexadecimal digits'
})

/** A bucket, and who asks for it. */
const objectStore = {
  bucket: required(
    'bucket',
    text({
      about: 'bucket',
      max: 63,
      pattern: /^[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/,
      expected: '3 to 63 lower-case letters, digits, hyphens and dots'
    }),
    'name of the bucket'
  ),
  endpoint: optional('endpoint', webAddress, 'URL of the service; Amazon’s without'),
  region: optional(
    'region',
    text({ about: 'region', max: 32, pattern: /^[a-z0-9-]+$/, expected: 'a region such as eu-central-1' }),
    'region of the bucket; us-east-1 without'
  ),
  accessKeyId: optional(
    'access_key_id',
    text({ max: 128 }),
    'who asks; without, nothing is signed and the bucket must be public'
  ),
  secretAccessKey: optional('secret_access_key', longText, 'belongs to access_key_id; the provider sees it'),
  sessionToken: optional('session_token', longText, 'of keys that expire')
}

/** Objects of a bucket. */
export const s3VolumeSchema: ObjectSchema<Extract<Volume, { type: 's3' }>> = object('s3 volume', {
  type: required('type', oneOf(['s3']), 's3'),
  ...objectStore,
  key: optional('key', objectName, 'one object; it appears under the last part of its name'),
  prefix: optional('prefix', objectName, 'all objects below; the whole bucket without key and prefix'),
  sha256: optional('sha256', sha256Text, 'what the object must have; with key'),
  ...mounted
})

/** A volume written out. */
export const volumeSchema: Schema<Volume> = tagged<Volume>('type', {
  local: localVolumeSchema,
  s3: s3VolumeSchema,
  glusterfs: glusterVolumeSchema
})

/** A bucket for outputs. */
export const publishSchema: ObjectSchema<NonNullable<Outputs['publish']>> = object('publication', {
  type: required('type', oneOf(['s3']), 's3'),
  ...objectStore,
  prefix: optional('prefix', objectName, 'directory in the bucket')
})

/** What a task leaves. */
export const outputsSchema: ObjectSchema<Outputs> = object('outputs', {
  path: defaulted('path', absolutePath, '/outputs', 'directory in the workload whose files are kept'),
  publish: optional('publish', publishSchema, 'where the provider sends them as well')
})

/** One workload (C §7.5). */
export const allocationSchema: ObjectSchema<Omit<EnsembleAllocation, 'dnsName'> & { readonly dnsName?: string }> = object(
  'allocation',
  {
    type: defaulted('type', oneOf(['service', 'task']), 'service', 'a task ends by itself, a service runs until it is stopped', {
      warning:
        'is missing and taken as service, which runs until it is stopped: write type: task for a program that ends by itself'
    }),
    executor: required('executor', executorName, 'what runs it, the same as in execution.type', { whenNull: 'null' }),
    resources: required('resources', resources, 'what it needs, or the name of a template'),
    execution: required('execution', execution, 'what it runs'),
    dnsName: optional('dns_name', hostName, 'name inside the subnet; the allocation’s name otherwise'),
    dependsOn: defaulted('depends_on', listOrItem(label, MAX_NAMED), [], 'allocations on the same node that start first'),
    failureRecovery: defaulted(
      'failure_recovery',
      oneOf(['stay_down', 'one_for_one', 'one_for_all', 'rest_for_one']),
      'stay_down',
      'what restarts when it fails'
    ),
    healthcheck: optional('healthcheck', healthcheck, 'how to find out whether it is well'),
    keys: defaulted('keys', list(fromTemplate('keys', accessKey)), [], 'keys for the user of the workload'),
    provision: defaulted('provision', list(fileName, MAX_NAMED), [], 'scripts that run first, in this order'),
    volumes: defaulted(
      'volume',
      listOrItem(fromTemplate('volumes', volumeSchema)),
      [],
      'directories that outlive it, or were fetched for it',
      {
        aliases: ['volumes']
      }
    ),
    outputs: optional('outputs', outputsSchema, 'files that the task leaves: fetched when it has ended'),
    contracts: defaulted('contracts', list(fileName, MAX_NAMED), [], 'contracts under which it runs')
  },
  { note: (partial, { reading, path }) => reading.noteAllocation(path.at(-1) ?? '', partial) }
)

/** {@link allocationSchema} with the default of `dns_name`, which is the allocation's own name. */
export const allocation: Schema<EnsembleAllocation> = {
  about: allocationSchema.about,
  read(value, place) {
    const read = allocationSchema.read(value, place)
    return read === undefined ? undefined : { ...read, dnsName: read.dnsName ?? place.path.at(-1) ?? '' }
  },
  encode: (value) => allocationSchema.encode(value)
}
