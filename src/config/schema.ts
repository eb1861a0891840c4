import {
  addressList,
  choice,
  contractAddress,
  didList,
  duration,
  endpoint,
  executorList,
  hexNumber,
  host,
  hostList,
  networkName,
  optionalPath,
  path,
  pluginList,
  port,
  providerList,
  registryList,
  restAddress,
  socketPath,
  text,
  toggle,
  url,
  type ValueType,
  wholeNumber,
  wireName,
  wirePrefix
} from './value-types.ts'

/** One key of the configuration file. */
export interface Key<T> {
  readonly type: ValueType<T>
  readonly default: T
  /** What the operator decides with it, for the reference page. */
  readonly doc: string
  readonly unit?: string
  /** `none`: accepted, so that files of other versions work, but nothing reads it yet. */
  readonly effect: 'full' | 'none'
  /** A secret never appears in a message. */
  readonly isSecret: boolean
}

/** Keys and sections by name. */
export interface Section {
  readonly [name: string]: Key<unknown> | Section
}

/** The values of a section. */
export type ValuesOf<S> = S extends Key<infer T> ? T : { readonly [Name in keyof S]: ValuesOf<S[Name]> }

/** The complete configuration, in the names of the file; paths are absolute. */
export type Config = ValuesOf<typeof CONFIG_SCHEMA>

interface KeyOptions {
  readonly unit?: string
  readonly isSecret?: boolean
}

function key<T>(type: ValueType<T>, fallback: NoInfer<T>, doc: string, { unit, isSecret = false }: KeyOptions = {}): Key<T> {
  return { type, default: fallback, doc, effect: 'full', isSecret, ...(unit === undefined ? {} : { unit }) }
}

/** A key of a feature that does not exist yet. */
function futureKey<T>(type: ValueType<T>, fallback: NoInfer<T>, doc: string, options?: KeyOptions): Key<T> {
  return { ...key(type, fallback, doc, options), effect: 'none' }
}

const count = wholeNumber(0, 1_000_000)

const paymentProvider = {
  mode: futureKey(toggle, false, 'Whether this node validates payments for others.'),
  ethereum_rpc_url: futureKey(url, 'https://ethereum-sepolia-rpc.publicnode.com', 'Ethereum node that is asked about payments.'),
  ethereum_rpc_token: futureKey(text, '', 'Bearer token for that node.', { isSecret: true }),
  ntx_contract_address: futureKey(contractAddress, '0xB37216b70a745129966E553cF8Ee2C51e1cB359A', 'Contract of the NTX token.'),
  starting_block_scanning: futureKey(hexNumber, '0x8D7374', 'Block from which payments are looked for (older versions).'),
  block_frost_api_url: futureKey(url, '', 'Blockfrost service that is asked about payments on Cardano.'),
  block_frost_api_key: futureKey(text, '', 'Key for that service.', { isSecret: true }),
  cardano_asset_name: futureKey(text, '', 'Asset name of the token on Cardano.'),
  cardano_asset_policy_id: futureKey(text, '', 'Policy id of the token on Cardano.')
}

const general = {
  env: futureKey(text, 'production', 'Name of the environment that this node belongs to.'),
  user_dir: key(path, '~/.nunet', 'Directory of keys (`key/`) and capability files (`cap/`).'),
  work_dir: key(path, '~/nunet', 'Directory of deployments, jobs, volumes and logs.'),
  data_dir: key(path, '~/nunet/data', 'Directory of the database.'),
  debug: key(toggle, false, 'Logs at level DEBUG whatever `observability.logging.level` says.'),
  host_city: key(text, '', 'City of this machine, for placement rules; empty for unknown.'),
  host_country: key(text, '', 'Country of this machine as two letters (`DE`); empty for unknown.'),
  host_continent: key(text, '', 'Continent of this machine, two letters as in ensembles (`EU`); empty for unknown.'),
  port_available_range_from: key(wholeNumber(1, 65_535), 16_384, 'First port that jobs may get.'),
  port_available_range_to: key(wholeNumber(2, 65_536), 65_536, 'End of the ports that jobs may get; not included itself.'),
  storage_mode: futureKey(toggle, false, 'Whether this node serves GlusterFS volumes.'),
  storage_ca_directory: futureKey(optionalPath, '~/.nunet/storage_ca_directory', 'Certificates of the GlusterFS server.'),
  storage_bricks_dir: futureKey(optionalPath, '~/.nunet/storage_bricks_dir', 'Data of the GlusterFS server.'),
  storage_glusterfs_hostname: futureKey(text, '', 'Name under which clients reach the GlusterFS server.'),
  compute_gateway: futureKey(toggle, false, 'Whether this node offers resources of external providers.'),
  providers: futureKey(providerList, [], 'External providers behind the gateway.'),
  payment_provider: paymentProvider,
  push_liveness_enabled: futureKey(toggle, true, 'Whether allocations send heartbeats (older versions).')
}

const BOOTSTRAP_PEERS: readonly string[] = [
  '/dnsaddr/bootstrap.p2p.nunet.io/p2p/12D3KooWHzew9HTYzywFuvTHGK5Yzoz7qAhMfxagtCvhvjheoBQ3',
  '/dnsaddr/bootstrap.p2p.nunet.io/p2p/12D3KooWJMtMN1mTNRfgMqUygT7eSXamVzc9ihpSjeairm9PebmB',
  '/dnsaddr/bootstrap.p2p.nunet.io/p2p/12D3KooWKjSodxxi7UfRHzuk7eGgUF49MoPUCJvtva9K12TqDDsi'
]

const LISTEN_ADDRESSES: readonly string[] = ['/ip4/0.0.0.0/tcp/9000', '/ip4/0.0.0.0/udp/9000/quic-v1']

const logging = {
  level: key(choice(['DEBUG', 'INFO', 'WARN', 'ERROR']), 'INFO', 'Least level of the lines that are logged.'),
  file: key(optionalPath, '~/nunet/logs/nunet-dms-logs.jsonl', 'Log file, one JSON object per line.'),
  rotation: {
    max_size_mb: key(wholeNumber(1, 100_000), 100, 'Size at which a new log file is begun.', { unit: 'MB' }),
    max_backups: key(count, 3, 'Old log files that are kept; 0 keeps all.'),
    max_age_days: key(count, 28, 'Age at which old log files are removed; 0 keeps them.', { unit: 'days' })
  }
}

const elastic = {
  url: futureKey(url, 'https://telemetry.nunet.io', 'Elasticsearch service that gets the log.'),
  index: futureKey(text, 'nunet-dms', 'Index of the log lines.'),
  flush_interval: futureKey(wholeNumber(1, 86_400), 5, 'How often lines are sent.', { unit: 'seconds' }),
  enabled: futureKey(toggle, false, 'Whether the log is sent to Elasticsearch.'),
  api_key: futureKey(text, '', 'Key for Elasticsearch.', { isSecret: true }),
  insecure_skip_verify: futureKey(toggle, false, 'Whether certificates of Elasticsearch are not checked.')
}

const otel = {
  enabled: futureKey(toggle, false, 'Whether metrics are sent by OpenTelemetry.'),
  endpoint: futureKey(endpoint, '', 'Collector of the metrics, `host:port`.'),
  insecure: futureKey(toggle, true, 'Whether the collector is spoken to without TLS.')
}

/** Every key that the configuration file may hold: names, types, defaults and meaning (D §3.2). The operator's interface. */
export const CONFIG_SCHEMA = {
  general,
  rest: {
    addr: key(
      restAddress,
      '127.0.0.1',
      'Address on which the REST interface listens, and on which commands look for it; `unix:/path` for a socket and no port.'
    ),
    port: key(port, 9999, 'Port of the REST interface.'),
    socket: key(
      socketPath,
      'auto',
      'Unix socket beside the port, for programs of the same user; `auto` is `run/rest-<port>.sock` in `general.data_dir`.'
    )
  },
  profiler: {
    enabled: futureKey(toggle, true, 'Whether the profiler listens.'),
    addr: futureKey(host, '127.0.0.1', 'Address of the profiler.'),
    port: futureKey(port, 6060, 'Port of the profiler.')
  },
  p2p: {
    listen_address: key(addressList, LISTEN_ADDRESSES, 'Multiaddresses on which other nodes reach this one.'),
    bootstrap_peers: key(
      addressList,
      BOOTSTRAP_PEERS,
      'Nodes that are asked for other nodes; `BOOTSTRAP_PEERS` in the environment replaces them.'
    ),
    announce_address: key(
      addressList,
      [],
      'Multiaddresses to tell others besides those that this node finds out itself, such as that of a forwarded port.'
    ),
    network: key(
      networkName,
      'nunet',
      'Network that this node belongs to. Another one than `nunet` needs its own bootstrap nodes; its names on the wire follow from it.'
    ),
    dht_prefix: key(wirePrefix, '', 'Prefix of the hash table of the network; `/nunet` for `nunet`.'),
    rendezvous: key(wireName, '', 'Name under which nodes of the network look for each other; `nunet-test` for `nunet`.'),
    advertisement_namespace: key(wireName, '', 'Namespace of advertisements in the hash table; `nunet-dht-1` for `nunet`.'),
    topic_prefix: key(wirePrefix, '', 'Stands before every topic on the wire; nothing for `nunet`.'),
    relay_service: key(toggle, true, 'Whether this node relays connections between nodes that cannot reach each other directly.'),
    relay_reservations: key(wholeNumber(1, 10_000), 128, 'Nodes that this relay leads others to at the same time.'),
    relay_duration: key(wholeNumber(10, 86_400), 300, 'How long a connection through this relay may last.', { unit: 'seconds' }),
    relay_data: key(
      wholeNumber(64, 1_048_576),
      2048,
      'How much may go over one connection through this relay, both ways together.',
      {
        unit: 'KiB'
      }
    ),
    relay_use: key(
      choice(['auto', 'always', 'never']),
      'auto',
      'When others are led to this node through relays: while nobody reaches it directly, always, or never.'
    ),
    port_mapping: key(
      toggle,
      true,
      'Whether the router is asked by UPnP for a public port; without such a router nothing happens.'
    ),
    local_discovery: key(toggle, false, 'Whether nodes of the same local network find each other by multicast (mDNS).'),
    memory: key(
      wholeNumber(1, 1_048_576),
      1024,
      'Memory of the network part: connections, streams and unfinished messages are bounded by it.',
      { unit: 'MiB' }
    ),
    fd: key(wholeNumber(1, 1_048_576), 512, 'File descriptors of the network part: connections are bounded by it.')
  },
  job: {
    allow_privileged_docker: key(
      toggle,
      false,
      'Whether jobs may ask for privileged containers, of everybody who may deploy here unless `job.privileged_dids` names some. They own the machine then.'
    ),
    privileged_dids: key(
      didList,
      [],
      'The nodes, by DID (`nunet key did dms` there), whose jobs alone may have privileged containers where `job.allow_privileged_docker` is on; empty for all.'
    ),
    egress: key(
      choice(['public', 'none', 'all']),
      'public',
      'What jobs may reach: `public`, the Internet but neither this machine, nor its networks, nor other jobs (needs nft and CAP_NET_ADMIN; jobs have no network where they are missing); `none`; or, with Docker only, `all` that this machine reaches, for jobs that you trust.'
    ),
    require_contracts_for_deployment: futureKey(toggle, false, 'Whether only ensembles with valid contracts get bids.')
  },
  plugins: {
    packages: key(
      pluginList,
      [],
      'Packages that add executors: npm names, installed below `general.user_dir` in `plugins`, or absolute paths of directories.'
    ),
    remote_executors: key(
      executorList,
      [],
      'Executors of plugins on other nodes that ensembles from here may name; those of the packages need not be listed.'
    )
  },
  executor: {
    oci_runtime: key(
      choice(['auto', 'crun', 'runc']),
      'auto',
      'What runs containers without a daemon; `auto` takes crun where it works, else runc.'
    ),
    microvm_acceleration: key(
      choice(['auto', 'kvm', 'tcg']),
      'auto',
      'How the processor of micro machines is made: by that of this machine (`kvm`), by emulation (`tcg`), or `auto`: the first where it may be used.'
    ),
    microvm_guest: key(
      optionalPath,
      '',
      'Directory with the kernel, its modules and the busybox that micro machines boot from; empty for `microvm/guest` in `general.data_dir`.'
    ),
    microvm_images: key(
      optionalPath,
      '',
      'The only directory whose kernels and disks jobs may name; empty for `microvm/images` in `general.data_dir`.'
    )
  },
  storage: {
    volume_size: key(wholeNumber(1, 1_048_576), 10, 'What a named volume may hold.', { unit: 'GiB' }),
    volumes_per_owner: key(wholeNumber(1, 1_048_576), 50, 'What all named volumes of one user may hold.', { unit: 'GiB' }),
    volumes_total: key(wholeNumber(1, 1_048_576), 200, 'What all named volumes may hold.', { unit: 'GiB' }),
    outputs_size: key(wholeNumber(1, 1_048_576), 2, 'What one job may leave as outputs, if its disk is not smaller.', {
      unit: 'GiB'
    }),
    outputs_total: key(wholeNumber(1, 1_048_576), 20, 'What the outputs of ended jobs may take until they are fetched.', {
      unit: 'GiB'
    }),
    allowed_private_endpoints: key(
      hostList,
      [],
      'Services of data in private networks or on this machine that jobs may have data fetched from and sent to, as `host` or `host:port`; they need no encryption. All others there are refused.'
    ),
    stall_timeout: key(wholeNumber(1, 3600), 30, 'How long a service of data may send nothing until it counts as stalled.', {
      unit: 'seconds'
    }),
    transfer_timeout: key(wholeNumber(10, 604_800), 3600, 'How long the transfers of one volume may take.', { unit: 'seconds' })
  },
  image: {
    cache_size: key(
      wholeNumber(1, 1_048_576),
      20,
      'What images and artefacts may take on the disk; beyond it those are removed that no job uses, the least recently used first.',
      { unit: 'GiB' }
    ),
    max_size: key(wholeNumber(1, 1_048_576), 10, 'The largest image that jobs may ask for, packed and unpacked.', {
      unit: 'GiB'
    }),
    allowed_private_registries: key(
      registryList,
      [],
      'Registries in private networks or on this machine that jobs may fetch images from, as `host` or `host:port`; all others there are refused.'
    ),
    insecure_registries: key(
      registryList,
      [],
      'Registries that may be spoken to without encryption, or whose certificate nobody vouches for; they may be private as well.'
    ),
    stall_timeout: key(wholeNumber(1, 3600), 30, 'How long a registry may send nothing until it counts as stalled.', {
      unit: 'seconds'
    }),
    pull_timeout: key(wholeNumber(10, 604_800), 3600, 'How long fetching one image may take.', { unit: 'seconds' })
  },
  observability: { logging, elastic, otel },
  apm: {
    server_url: futureKey(url, 'https://apm.telemetry.nunet.io', 'Service that gets traces.'),
    service_name: futureKey(text, 'nunet-dms', 'Name of this service in traces.'),
    environment: futureKey(text, 'production', 'Environment in traces.'),
    api_key: futureKey(text, '', 'Key for that service.', { isSecret: true }),
    secret_token: futureKey(text, '', 'Token for that service.', { isSecret: true })
  },
  coinmarketcap: {
    api_key: futureKey(text, '', 'Key for prices of CoinMarketCap.', { isSecret: true }),
    base_url: futureKey(url, '', 'Service; empty for `https://pro-api.coinmarketcap.com/v2`.'),
    endpoint_path: futureKey(text, '', 'Path of the conversion; empty for `/tools/price-conversion`.'),
    cache_ttl: futureKey(duration, '', 'How long a price is reused.'),
    quote_ttl: futureKey(duration, '', 'How long a quote holds; empty for 2m.')
  }
}

/** Flat keys of older files and the keys that they mean now; accepted everywhere a key is (D §3.2, E §2.7). */
export const DEPRECATED_KEYS: Readonly<Record<string, string>> = {
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
