/**
 * The architecture as data, bottom to top: which module may import which.
 *
 * Enforced by .dependency-cruiser.cjs (`npm run layers`) and by test/architecture.test.ts; drawn in docs/architecture.md.
 * `testing` may import anything and is imported by nothing but tests.
 */
const modules = {
  base: [],
  db: ['base'],
  config: ['base', 'db'],
  telemetry: ['base'],
  heap: ['base'],
  identity: ['base', 'db'],
  wallet: ['base', 'db', 'identity'],
  ucan: ['base', 'db', 'identity'],
  agent: ['base', 'db', 'identity'],
  actor: ['base', 'identity', 'ucan'],
  network: ['base'],
  hardware: ['base'],
  executor: ['base'],
  image: ['base'],
  storage: ['base'],
  protocol: ['base', 'identity', 'ucan', 'actor'],
  dms: ['base', 'db', 'identity', 'ucan', 'actor', 'hardware', 'executor', 'storage', 'protocol'],
  client: ['base', 'identity', 'ucan', 'actor', 'protocol'],
  api: ['base', 'actor'],
  plugins: ['base', 'executor'],
  doctor: ['base', 'config', 'identity', 'ucan', 'hardware', 'executor'],
  cmd: [
    'base',
    'db',
    'config',
    'identity',
    'wallet',
    'ucan',
    'agent',
    'actor',
    'image',
    'protocol',
    'client',
    'plugins',
    'doctor'
  ]
}

/** The same between the parts of `dms`; files directly in src/dms may be used by every part. */
const dms = {
  resources: [],
  onboarding: ['resources'],
  bidding: ['resources'],
  allocation: ['resources'],
  deployment: [],
  revocation: [],
  node: ['resources', 'onboarding', 'bidding', 'allocation', 'deployment', 'revocation']
}

/** Modules whose folders hold drivers: only daemon.ts and checkup.ts (and tests) import src/<module>/<driver>/. */
const drivers = ['executor', 'storage']

/** Every npm package has one home; the keys and values are regular expressions. */
const packages = {
  'libp2p|@libp2p/.+|@multiformats/.+|multiformats|datastore-core|@chainsafe/libp2p-quic|ws': 'network',
  'fastify|@fastify/.+': 'api',
  '@photostructure/sqlite': 'db',
  koffi: '(network|heap|image)',
  fzstd: 'image',
  pino: 'telemetry',
  yaml: 'protocol',
  '@noble/.+': '(identity|testing)',
  'node-hid': 'wallet',
  '@aws-sdk/client-s3': 'storage',
  'tar-stream': '(executor|image|testing)'
}

module.exports = { modules, dms, drivers, packages }
