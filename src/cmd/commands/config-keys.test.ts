import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ConfigKey, configKeys, resolvePath } from '../../config/index.ts'
import { call } from '../fixtures.ts'

/** The table of D §3.2, copied from there: a key that the schema lacks fails here. */
const KEYS = [
  'general.env',
  'general.user_dir',
  'general.work_dir',
  'general.data_dir',
  'general.debug',
  'general.host_city',
  'general.host_country',
  'general.host_continent',
  'general.port_available_range_from',
  'general.port_available_range_to',
  'general.storage_mode',
  'general.storage_ca_directory',
  'general.storage_bricks_dir',
  'general.storage_glusterfs_hostname',
  'general.compute_gateway',
  'general.providers',
  'general.payment_provider.mode',
  'general.payment_provider.ethereum_rpc_url',
  'general.payment_provider.ethereum_rpc_token',
  'general.payment_provider.ntx_contract_address',
  'general.payment_provider.starting_block_scanning',
  'general.payment_provider.block_frost_api_url',
  'general.payment_provider.block_frost_api_key',
  'general.payment_provider.cardano_asset_name',
  'general.payment_provider.cardano_asset_policy_id',
  'general.push_liveness_enabled',
  'rest.addr',
  'rest.port',
  'rest.socket', // ours
  'profiler.enabled',
  'profiler.addr',
  'profiler.port',
  'p2p.listen_address',
  'p2p.bootstrap_peers',
  'p2p.announce_address',
  'p2p.network',
  'p2p.dht_prefix',
  'p2p.rendezvous',
  'p2p.advertisement_namespace',
  'p2p.topic_prefix',
  'p2p.relay_service',
  'p2p.relay_reservations',
  'p2p.relay_duration',
  'p2p.relay_data',
  'p2p.relay_use',
  'p2p.port_mapping',
  'p2p.local_discovery',
  'p2p.memory',
  'p2p.fd',
  'job.allow_privileged_docker',
  'job.privileged_dids', // ours
  'job.egress', // ours
  'job.require_contracts_for_deployment',
  'plugins.packages',
  'plugins.remote_executors',
  'executor.oci_runtime', // ours
  'executor.microvm_acceleration', // ours
  'executor.microvm_guest', // ours
  'executor.microvm_images', // ours
  'storage.volume_size', // ours
  'storage.volumes_per_owner', // ours
  'storage.volumes_total', // ours
  'storage.outputs_size', // ours
  'storage.outputs_total', // ours
  'storage.allowed_private_endpoints', // ours
  'storage.stall_timeout', // ours
  'storage.transfer_timeout', // ours
  'image.cache_size', // ours
  'image.max_size', // ours
  'image.allowed_private_registries', // ours
  'image.insecure_registries', // ours
  'image.stall_timeout', // ours
  'image.pull_timeout', // ours
  'observability.logging.level',
  'observability.logging.file',
  'observability.logging.rotation.max_size_mb',
  'observability.logging.rotation.max_backups',
  'observability.logging.rotation.max_age_days',
  'observability.elastic.url',
  'observability.elastic.index',
  'observability.elastic.flush_interval',
  'observability.elastic.enabled',
  'observability.elastic.api_key',
  'observability.elastic.insecure_skip_verify',
  'observability.otel.enabled',
  'observability.otel.endpoint',
  'observability.otel.insecure',
  'apm.server_url',
  'apm.service_name',
  'apm.environment',
  'apm.api_key',
  'apm.secret_token',
  'coinmarketcap.api_key',
  'coinmarketcap.base_url',
  'coinmarketcap.endpoint_path',
  'coinmarketcap.cache_ttl',
  'coinmarketcap.quote_ttl'
] as const

/** The deprecated ones of the same table, with what the file holds for them now. */
const DEPRECATED: Readonly<Record<string, string>> = {
  'observability.log_level': 'observability.logging.level',
  'observability.log_file': 'observability.logging.file',
  'observability.max_size': 'observability.logging.rotation.max_size_mb',
  'observability.max_backups': 'observability.logging.rotation.max_backups',
  'observability.max_age': 'observability.logging.rotation.max_age_days',
  'observability.elasticsearch_url': 'observability.elastic.url',
  'observability.elasticsearch_index': 'observability.elastic.index',
  'observability.flush_interval': 'observability.elastic.flush_interval',
  'observability.elasticsearch_enabled': 'observability.elastic.enabled',
  'observability.elasticsearch_api_key': 'observability.elastic.api_key',
  'observability.insecure_skip_verify': 'observability.elastic.insecure_skip_verify'
}

let home = ''
let path = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-'))
  path = join(home, 'config.json')
})
afterEach(() => rm(home, { recursive: true }))

const ALL = [...KEYS, ...Object.keys(DEPRECATED)]

function specOf(name: string): ConfigKey {
  const spec = configKeys().find((key) => key.name === name)
  if (spec === undefined) throw new Error(`the schema has no key ${name}`)
  return spec
}

/** What the file must hold for a text, worked out from the type of the default alone. */
function inFile({ default: fallback }: ConfigKey, text: string): unknown {
  if (typeof fallback === 'boolean') return ['true', '1', 't', 'T', 'TRUE', 'True'].includes(text)
  if (typeof fallback === 'number') return Number(text)
  if (!Array.isArray(fallback)) return text
  return /^\[|^null$/.test(text) ? (JSON.parse(text) as unknown) : text.split(',')
}

/** What `config get` must print for it: paths absolute, words in capitals, no list for null. */
function effective({ words, type }: ConfigKey, value: unknown): unknown {
  if (value === null) return []
  if (typeof value !== 'string' || value === '') return value
  const word = words.find((candidate) => candidate.toUpperCase() === value.toUpperCase())
  if (word !== undefined) return word
  return type.startsWith('path') ? resolvePath(value, { cwd: home, home }) : value
}

/** What else must stand in the file so that any value of the key fits. */
function neighbours(name: string): object {
  return name === 'general.port_available_range_to' ? { general: { port_available_range_from: 1 } } : {}
}

function nest(name: string, value: unknown): object {
  return name.split('.').reduceRight<unknown>((inner, member) => ({ [member]: inner }), value) as object
}

const set = (name: string, text: string) => call(home, ['--config', path, 'config', 'set', '--', name, text], { passphrase: '' })

describe('the schema', () => {
  test('has exactly the keys of the specification, and our own', () => {
    expect(configKeys().map(({ name }) => name)).toEqual([...KEYS, ...Object.keys(DEPRECATED)])
  })
})

describe.each(ALL)('config set %s', (name) => {
  const spec = specOf(name)

  test('refuses every wrong value in one line and leaves the file as it was, byte for byte', async () => {
    const before = '{ "rest":\t{"port" :1} }'
    await writeFile(path, before)
    expect(spec.counterexamples.length).toBeGreaterThan(0)
    for (const text of spec.counterexamples) {
      const outcome = await set(name, text)
      expect(outcome, `accepted ${JSON.stringify(text.slice(0, 80))}`).toMatchObject({ code: 2, stdout: '' })
      expect(outcome.stderr).toMatch(/^Error: [^\n]+\n$/)
      expect(outcome.stderr).toContain(DEPRECATED[name] ?? name)
      if (spec.isSecret) expect(outcome.stderr).not.toContain(text)
    }
    expect(await readFile(path, 'utf8')).toBe(before)
    expect(await readdir(home)).toEqual(['config.json'])
  })

  test('takes every right value, writes nothing else, and config get gives it back', async () => {
    const current = DEPRECATED[name] ?? name
    expect(spec.examples.length).toBeGreaterThan(0)
    for (const text of spec.examples) {
      const others = neighbours(name)
      await rm(path, { force: true })
      if (Object.keys(others).length > 0) await writeFile(path, JSON.stringify(others))
      const value = inFile(spec, text)
      const outcome = await set(name, text)
      expect(outcome, `refused ${JSON.stringify(text.slice(0, 80))}`).toMatchObject({ code: 0, stderr: '' })
      expect(outcome.stdout).toMatch(/Applied changes\.\n$/)
      const members = JSON.parse(await readFile(path, 'utf8')) as Record<string, object>
      const [section = ''] = current.split('.')
      const expected = nest(current, value) as Record<string, object>
      expect(members).toEqual({ [section]: { ...(others as Record<string, object>)[section], ...expected[section] } })
      const got = await call(home, ['--config', path, 'config', 'get', '-q', '--reveal', name])
      expect(got).toMatchObject({ code: 0, stderr: '' })
      expect(JSON.parse(got.stdout)).toEqual(effective(spec, value))
    }
    expect(await readdir(home)).toEqual(['config.json'])
  })
})
