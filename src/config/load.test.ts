import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigError, ConfigNotFoundError } from './errors.ts'
import { type ConfigInput, type LoadedConfig, loadConfig } from './load.ts'

let root: string
let cwd: string
let home: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dms-config-'))
  cwd = join(root, 'cwd')
  home = join(root, 'home')
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function put(path: string, content: unknown): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** Reads from a file of its own, so that no file of the machine plays a part. */
async function load(content: unknown, input: Partial<ConfigInput> = {}): Promise<LoadedConfig> {
  const configPath = await put(join(root, 'test.json'), content)
  return await loadConfig({ environment: {}, cwd, home, configPath, ...input })
}

describe('a broken file', () => {
  test('is refused with its path, line and column', async () => {
    const attempt = load('{\n  "rest": {\n    "port" 9999\n  }\n}')
    await expect(attempt).rejects.toThrow(ConfigError)
    await expect(attempt).rejects.toMatchObject({ code: 'CONFIG_INVALID', kind: 'invalid' })
    await expect(attempt).rejects.toThrow(
      `${join(root, 'test.json')}: invalid JSON in line 3, column 12: expected ":", found "9"`
    )
  })

  test.each([
    ['{ "rest": { "port": 1, "port": 2 } }', 'repeated'],
    ['[]', 'must be a JSON object'],
    ['{} // comment', 'line 1, column 4'],
    ['{ "a": ', 'found the end']
  ])('is refused: %s', async (content, message) => {
    await expect(load(content)).rejects.toThrow(message)
  })

  test.each([
    [{ rest: { prt: 1 } }, 'unknown key "rest.prt"; did you mean "rest.port"?'],
    [{ general: { payment_provider: { modes: true } } }, 'did you mean "general.payment_provider.mode"?'],
    [{ zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz: 1 }, /unknown key "z+"$/],
    [{ rest: { constructor: 1 } }, 'unknown key "rest.constructor"'],
    [{ rest: 9999 }, 'rest must be an object'],
    [{ rest: { port: '9999' } }, 'rest.port must be a whole number from 0 to 65535, not "9999"'],
    [{ rest: { port: 65_536 } }, 'not 65536'],
    [{ rest: { port: -1 } }, 'not -1'],
    [{ rest: { port: 1.5 } }, 'not 1.5'],
    ['{ "rest": { "port": 99999999999999999999 } }', 'not 99999999999999999999'],
    [{ rest: { addr: 1 } }, 'rest.addr must be an IP address or a host name, without a port or a slash, or unix:/path, not 1'],
    [{ rest: { addr: 'http://127.0.0.1' } }, 'rest.addr must be an IP address or a host name'],
    [{ general: { env: 'a\nb' } }, 'general.env must be one line'],
    [{ p2p: { listen_address: ['0.0.0.0:9000'] } }, 'each a multiaddress such as /ip4/0.0.0.0/tcp/9000'],
    [{ observability: { otel: { endpoint: 'otel example' } } }, 'must be host:port'],
    [{ general: { debug: 'true' } }, 'general.debug must be true or false, not "true"'],
    [{ general: { user_dir: '' } }, 'general.user_dir must be a path'],
    [{ p2p: { listen_address: '/ip4/0.0.0.0/tcp/9000' } }, 'p2p.listen_address must be a list of texts'],
    [{ p2p: { listen_address: ['/ip4/0.0.0.0/tcp/9000', 1] } }, 'must be a list of texts'],
    [{ general: { providers: [{ name: 'a' }] } }, 'general.providers must be a list of objects'],
    [{ observability: { logging: { level: 'LOUD' } } }, 'must be one of DEBUG, INFO, WARN, ERROR, not "LOUD"'],
    [{ observability: { log_level: 'LOUD' } }, 'observability.log_level must be one of'],
    [{ observability: { elastic: { url: 'telemetry.nunet.io' } } }, 'must be a URL'],
    [{ coinmarketcap: { quote_ttl: 'soon' } }, 'must be a duration'],
    [{ general: { payment_provider: { ntx_contract_address: '0x12' } } }, '40 hexadecimal digits'],
    [{ general: { payment_provider: { starting_block_scanning: '12' } } }, 'must be 0x'],
    [
      { general: { port_available_range_from: 300, port_available_range_to: 300 } },
      'port_available_range_from (300) must be below'
    ]
  ])('is refused: %j', async (content, message) => {
    const attempt = load(content)
    await expect(attempt).rejects.toThrow(ConfigError)
    await expect(attempt).rejects.toThrow(message)
  })

  test('is refused with all of its problems at once', async () => {
    const attempt = load({ rest: { port: 'x', prt: 1 }, general: { debug: 1 } })
    await expect(attempt).rejects.toThrow(/rest\.prt.*general\.debug.*rest\.port/)
    await expect(attempt).rejects.toMatchObject({ details: { problems: 3 } })
  })

  test('never shows a secret', async () => {
    const attempt = load({ apm: { api_key: ['hunter2'] } })
    await expect(attempt).rejects.toThrow('apm.api_key must be a text in quotes')
    await expect(attempt).rejects.not.toThrow('hunter2')
  })
})

describe('the search', () => {
  test('refuses a file of --config that does not exist', async () => {
    await put(join(cwd, 'dms_config.json'), {})
    const attempt = loadConfig({ environment: {}, cwd, home, configPath: 'missing.json' })
    await expect(attempt).rejects.toThrow(ConfigNotFoundError)
    await expect(attempt).rejects.toThrow(join(cwd, 'missing.json'))
  })

  test('stops at the first broken file instead of going on', async () => {
    await put(join(cwd, 'dms_config.json'), '{')
    await put(join(home, '.nunet', 'dms_config.json'), {})
    await expect(loadConfig({ environment: {}, cwd, home })).rejects.toThrow(join(cwd, 'dms_config.json'))
  })

  test('takes the working directory, then ~/.nunet, then the user configuration directory', async () => {
    const environment = { XDG_CONFIG_HOME: join(root, 'xdg') }
    const paths = [
      join(cwd, 'dms_config.json'),
      join(home, '.nunet', 'dms_config.json'),
      join(root, 'xdg', 'nunet', 'dms_config.json')
    ]
    for (const path of paths) await put(path, {})
    for (const path of paths) {
      expect((await loadConfig({ environment, cwd, home })).path).toBe(path)
      await rm(path)
    }
    const fallback = await put(join(home, '.config', 'nunet', 'dms_config.json'), {})
    expect((await loadConfig({ environment: { XDG_CONFIG_HOME: 'relative' }, cwd, home })).path).toBe(fallback)
  })

  test('reads only the file of --config when it is given, also below ~', async () => {
    await put(join(cwd, 'dms_config.json'), { rest: { port: 1 } })
    await put(join(home, 'other.json'), { rest: { port: 2 } })
    const { config, path } = await loadConfig({ environment: {}, cwd, home, configPath: '~/other.json' })
    expect(config.rest.port).toBe(2)
    expect(path).toBe(join(home, 'other.json'))
  })
})

describe('the values', () => {
  test('refuses a variable or flag of the wrong type, naming it', async () => {
    await expect(load({}, { environment: { DMS_REST_PORT: 'x' } })).rejects.toThrow(
      'DMS_REST_PORT must be a whole number from 0 to 65535, not "x"'
    )
    await expect(load({}, { flags: { 'general.debug': 'maybe' } })).rejects.toThrow(
      'flag for general.debug must be true or false'
    )
    await expect(load({}, { flags: { 'rest.prt': '1' } })).rejects.toThrow('unknown key "rest.prt"')
    await expect(load({}, { environment: { DMS_GENERAL_PROVIDERS: '[{' } })).rejects.toThrow('DMS_GENERAL_PROVIDERS must be JSON')
    const secret = load({}, { environment: { DMS_REST_PORT: 'x', DMS_APM_API_KEY: 'hunter2' } })
    await expect(secret).rejects.not.toThrow('hunter2')
  })

  test('come from flag before environment before file before default', async () => {
    const file = { rest: { port: 1, addr: '0.0.0.0' }, general: { debug: true } }
    const environment = { DMS_REST_PORT: '2', DMS_REST_ADDR: '', DMS_GENERAL_DEBUG: 'false', DMS_PASSPHRASE: 'x' }
    const { config, sources } = await load(file, { environment, flags: { 'rest.port': '3', 'rest.addr': undefined } })
    expect(config.rest).toEqual({ port: 3, addr: '0.0.0.0', socket: 'auto' })
    expect(config.general.debug).toBe(false)
    expect(sources).toMatchObject({
      'rest.port': 'flag',
      'rest.addr': 'file',
      'general.debug': 'environment',
      'general.user_dir': 'default'
    })
  })

  test('of a variable are converted by the declared type and never by their look', async () => {
    const environment = {
      DMS_COINMARKETCAP_API_KEY: '0123',
      DMS_APM_SECRET_TOKEN: 'true',
      DMS_P2P_LISTEN_ADDRESS: '/ip4/1.2.3.4/tcp/1, /ip4/1.2.3.4/tcp/2'
    }
    const { config } = await load({}, { environment })
    expect(config.coinmarketcap.api_key).toBe('0123')
    expect(config.apm.secret_token).toBe('true')
    expect(config.p2p.listen_address).toEqual(['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/2'])
  })

  test('of BOOTSTRAP_PEERS replace every other list of bootstrap peers', async () => {
    const environment = { BOOTSTRAP_PEERS: '/a, /b', DMS_P2P_BOOTSTRAP_PEERS: '["/c"]' }
    const { config, sources } = await load({ p2p: { bootstrap_peers: ['/d'] } }, { environment })
    expect(config.p2p.bootstrap_peers).toEqual(['/a', '/b'])
    expect(sources['p2p.bootstrap_peers']).toBe('environment')
    expect((await load({}, { environment: { ...environment, BOOTSTRAP_PEERS: ' ' } })).config.p2p.bootstrap_peers).toEqual(['/c'])
  })

  test('of flags may be lists, numbers and booleans', async () => {
    const { config } = await load({}, { flags: { 'p2p.listen_address': ['/a'], 'rest.port': 1, 'general.debug': true } })
    expect(config.p2p.listen_address).toEqual(['/a'])
    expect(config.rest.port).toBe(1)
    expect(config.general.debug).toBe(true)
  })

  test('that are paths become absolute, from the home and the working directory', async () => {
    const { config } = await load({ general: { work_dir: 'work', data_dir: '~' }, observability: { logging: { file: '' } } })
    expect(config.general.user_dir).toBe(join(home, '.nunet'))
    expect(config.general.work_dir).toBe(join(cwd, 'work'))
    expect(config.general.data_dir).toBe(home)
    expect(config.observability.logging.file).toBe('')
  })

  test('have the defaults of the reference', async () => {
    const { config, warnings } = await load('')
    expect(config.rest).toEqual({ addr: '127.0.0.1', port: 9999, socket: 'auto' })
    expect(config.p2p.listen_address).toEqual(['/ip4/0.0.0.0/tcp/9000', '/ip4/0.0.0.0/udp/9000/quic-v1'])
    expect(config.p2p.bootstrap_peers).toHaveLength(3)
    expect(config.general).toMatchObject({ port_available_range_from: 16_384, port_available_range_to: 65_536, providers: [] })
    expect(config.observability.logging).toEqual({
      level: 'INFO',
      file: join(home, 'nunet/logs/nunet-dms-logs.jsonl'),
      rotation: { max_size_mb: 100, max_backups: 3, max_age_days: 28 }
    })
    expect(warnings).toEqual([])
  })

  test('may be null where Go writes no list, and a section may be null', async () => {
    const { config } = await load({ general: { providers: null }, apm: null })
    expect(config.general.providers).toEqual([])
    expect(config.apm.service_name).toBe('nunet-dms')
  })

  test('of log levels are read in any case', async () => {
    expect((await load({ observability: { logging: { level: 'debug' } } })).config.observability.logging.level).toBe('DEBUG')
  })

  test('of providers keep their own settings', async () => {
    const provider = { name: 'lab', type: 'local-incus', config: { image: 'x' } }
    expect((await load({ general: { providers: [provider] } })).config.general.providers).toEqual([provider])
  })
})

describe('deprecated keys', () => {
  test('stand for their successors, with a warning', async () => {
    const { config, warnings } = await load({
      observability: { log_level: 'WARN', max_age: 7, elasticsearch_enabled: true, elasticsearch_api_key: 'k' }
    })
    expect(config.observability.logging.level).toBe('WARN')
    expect(config.observability.logging.rotation.max_age_days).toBe(7)
    expect(config.observability.elastic).toMatchObject({ enabled: true, api_key: 'k' })
    expect(warnings).toHaveLength(4)
    expect(warnings[0]).toContain('observability.log_level is deprecated: write observability.logging.level instead')
  })

  test('yield to their successors in the same file, in whatever order', async () => {
    const { config, warnings } = await load({ observability: { logging: { level: 'ERROR' }, log_level: 'WARN' } })
    expect(config.observability.logging.level).toBe('ERROR')
    expect(warnings[0]).toContain('observability.logging.level is used instead')
  })
})
