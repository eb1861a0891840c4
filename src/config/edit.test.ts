import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findConfigFile } from './config-file.ts'
import { getConfigValue, setConfigValue, suggestConfigKey, unsetConfigValue } from './edit.ts'
import { ConfigError } from './errors.ts'
import { loadConfig } from './load.ts'

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dms-config-'))
  path = join(directory, 'dms_config.json')
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('setConfigValue', () => {
  test.each([
    ['rest.prt', '1', 'unknown key "rest.prt"; did you mean "rest.port"?'],
    ['rest', '1', 'rest is a section: set one of rest.addr, rest.port, rest.socket'],
    ['rest.port', 'x', 'rest.port must be a whole number from 0 to 65535, not "x"'],
    ['rest.port', '65536', 'not "65536"'],
    ['general.debug', 'yes', 'general.debug must be true or false'],
    ['general.user_dir', '', 'general.user_dir must be a path'],
    ['p2p.listen_address', '[1]', 'must be a list of texts'],
    ['observability.logging.level', 'LOUD', 'must be one of']
  ])('refuses %s = %j and leaves the file alone', async (key, text, message) => {
    await writeFile(path, '{"rest":{}}')
    const attempt = setConfigValue({ path, key, text })
    await expect(attempt).rejects.toThrow(ConfigError)
    await expect(attempt).rejects.toThrow(message)
    expect(await readFile(path, 'utf8')).toBe('{"rest":{}}')
    expect(await readdir(directory)).toEqual(['dms_config.json'])
  })

  test.each([
    ['{ "rest": ', 'line 1'],
    ['[]', 'must be a JSON object'],
    ['{ "rest": 5 }', 'rest must be an object'],
    ['{ "other": 99999999999999999999 }', 'too large']
  ])('refuses the file %j and leaves it alone', async (content, message) => {
    await writeFile(path, content)
    await expect(setConfigValue({ path, key: 'rest.port', text: '1' })).rejects.toThrow(message)
    expect(await readFile(path, 'utf8')).toBe(content)
  })

  test.each([
    ['{}', 'general.port_available_range_to', '6', 'general.port_available_range_from (16384) must be below'],
    ['{"general":{"port_available_range_to":100}}', 'general.port_available_range_from', '100', 'must be below'],
    [
      '{"general":{"port_available_range_from":7,"port_available_range_to":7}}',
      'general.port_available_range_to',
      '5',
      'must be below'
    ]
  ])('refuses, in the file %s, %s = %s: no command could read the file after it', async (content, key, text, message) => {
    await writeFile(path, content)
    await expect(setConfigValue({ path, key, text })).rejects.toThrow(message)
    expect(await readFile(path, 'utf8')).toBe(content)
  })

  test('moves the range of ports one end after the other, and sets other keys of a file whose range is empty', async () => {
    await writeFile(path, '{"general":{"port_available_range_from":7,"port_available_range_to":7}}')
    await setConfigValue({ path, key: 'general.debug', text: 'true' })
    await setConfigValue({ path, key: 'general.port_available_range_from', text: '1' })
    expect((await loadConfig({ environment: {}, cwd: directory, home: directory })).config.general).toMatchObject({
      debug: true,
      port_available_range_from: 1,
      port_available_range_to: 7
    })
  })

  test('creates a private file that holds only what was set', async () => {
    const change = await setConfigValue({ path, key: 'Rest.Port', text: '8080' })
    expect(change).toEqual({ created: true, key: 'rest.port', value: 8080, problems: [] })
    expect(await readFile(path, 'utf8')).toBe('{\n  "rest": {\n    "port": 8080\n  }\n}\n')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('keeps the mode of the file and everything else in it, in its order', async () => {
    await writeFile(path, '{"profiler":{"port":1,"enabled":false},"own":[1,{"a":null}],"general":{}}')
    await chmod(path, 0o660)
    const change = await setConfigValue({ path, key: 'profiler.port', text: '2' })
    expect(change.created).toBe(false)
    expect(JSON.stringify(JSON.parse(await readFile(path, 'utf8')))).toBe(
      '{"profiler":{"port":2,"enabled":false},"own":[1,{"a":null}],"general":{}}'
    )
    expect((await stat(path)).mode & 0o777).toBe(0o660)
    expect(await readdir(directory)).toEqual(['dms_config.json'])
  })

  test('converts by the declared type, not by the look of the text', async () => {
    await setConfigValue({ path, key: 'apm.api_key', text: '12345' })
    await setConfigValue({ path, key: 'apm.secret_token', text: 'true' })
    await setConfigValue({ path, key: 'p2p.bootstrap_peers', text: '/a,/b' })
    await setConfigValue({ path, key: 'p2p.listen_address', text: '["/c"]' })
    await setConfigValue({ path, key: 'general.providers', text: '[{"name":"lab","type":"local-incus"}]' })
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      apm: { api_key: '12345', secret_token: 'true' },
      p2p: { bootstrap_peers: ['/a', '/b'], listen_address: ['/c'] },
      general: { providers: [{ name: 'lab', type: 'local-incus' }] }
    })
  })

  test('accepts the whole list of settings that the appliance makes, the deprecated ones as their successors', async () => {
    const settings = [
      ['observability.elasticsearch_api_key', 'key'],
      ['observability.elasticsearch_enabled', 'true'],
      ['observability.elasticsearch_url', 'https://telemetry.nunet.io'],
      ['observability.elasticsearch_index', 'nunet-dms'],
      ['observability.elastic.flush_interval', '5'],
      ['observability.elastic.insecure_skip_verify', 'true'],
      ['observability.elastic.api_key', 'key'],
      ['observability.elastic.enabled', 'true'],
      ['observability.elastic.url', 'https://telemetry.nunet.io'],
      ['observability.elastic.index', 'nunet-dms'],
      ['observability.logging.level', 'DEBUG'],
      ['observability.logging.file', '/home/nunet/logs/nunet-dms.log'],
      ['observability.logging.rotation.max_age_days', '28'],
      ['observability.logging.rotation.max_size_mb', '100'],
      ['observability.logging.rotation.max_backups', '3']
    ] as const
    for (const [key, text] of settings) await setConfigValue({ path, key, text })
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      observability: {
        elastic: {
          api_key: 'key',
          enabled: true,
          url: 'https://telemetry.nunet.io',
          index: 'nunet-dms',
          flush_interval: 5,
          insecure_skip_verify: true
        },
        logging: {
          level: 'DEBUG',
          file: '/home/nunet/logs/nunet-dms.log',
          rotation: { max_age_days: 28, max_size_mb: 100, max_backups: 3 }
        }
      }
    })
    const { warnings, config } = await loadConfig({ environment: {}, cwd: directory, home: directory })
    expect(warnings).toEqual([])
    expect(config.observability.logging.level).toBe('DEBUG')
  })

  test('loses none of several changes made at once', async () => {
    await Promise.all([
      setConfigValue({ path, key: 'rest.port', text: '1' }),
      setConfigValue({ path, key: 'rest.addr', text: '::1' }),
      setConfigValue({ path, key: 'general.debug', text: 'true' })
    ])
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ rest: { port: 1, addr: '::1' }, general: { debug: true } })
  })
})

describe('values that belong together', () => {
  test('are refused when they do not fit, and the file stays', async () => {
    await writeFile(path, '{"general":{"port_available_range_from":1024,"port_available_range_to":32768}}')
    const before = await readFile(path, 'utf8')
    const from = setConfigValue({ path, key: 'general.port_available_range_from', text: '32768' })
    await expect(from).rejects.toThrow('general.port_available_range_from (32768) must be below')
    await expect(unsetConfigValue({ path, key: 'general.port_available_range_from' })).resolves.toMatchObject({ removed: true })
    await writeFile(path, before)
    const to = setConfigValue({ path, key: 'general.port_available_range_to', text: '1000' })
    await expect(to).rejects.toThrow('must be below general.port_available_range_to (1000)')
    expect(await readFile(path, 'utf8')).toBe(before)
  })

  test('may be mended one after the other: what was wrong before is told, not refused', async () => {
    await writeFile(path, '{"rest":{"port":"x","prt":1}}')
    const { problems } = await setConfigValue({ path, key: 'rest.port', text: '1' })
    expect(problems).toEqual([`${path}: unknown key "rest.prt"; did you mean "rest.port"?`])
  })
})

describe('unsetConfigValue', () => {
  test('refuses keys that do not exist', async () => {
    await writeFile(path, '{}')
    await expect(unsetConfigValue({ path, key: 'rest.prt' })).rejects.toThrow('did you mean "rest.port"?')
    await expect(unsetConfigValue({ path, key: '' })).rejects.toThrow('unknown key ""')
    expect(await readFile(path, 'utf8')).toBe('{}')
  })

  test('writes nothing when there is nothing to take out', async () => {
    expect(await unsetConfigValue({ path, key: 'rest.port' })).toEqual({ key: 'rest.port', removed: false })
    expect(await readdir(directory)).toEqual([])
    await writeFile(path, '{"rest":{}}')
    expect(await unsetConfigValue({ path, key: 'rest.port' })).toEqual({ key: 'rest.port', removed: false })
    expect(await readFile(path, 'utf8')).toBe('{"rest":{}}')
  })

  test('takes out a key and the sections that are empty then, and nothing else', async () => {
    await writeFile(path, '{"observability":{"logging":{"rotation":{"max_backups":1}}},"rest":{"port":1,"addr":"::1"}}')
    await chmod(path, 0o640)
    await unsetConfigValue({ path, key: 'observability.max_backups' })
    await unsetConfigValue({ path, key: 'REST.port' })
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ rest: { addr: '::1' } })
    expect((await stat(path)).mode & 0o777).toBe(0o640)
  })

  test('takes out a section', async () => {
    await writeFile(path, '{"rest":{"port":1},"general":{"debug":true}}')
    expect(await unsetConfigValue({ path, key: 'rest' })).toEqual({ key: 'rest', removed: true })
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ general: { debug: true } })
  })
})

describe('getConfigValue', () => {
  beforeEach(async () => {
    await writeFile(path, '{}')
  })

  test('knows nothing of keys that do not exist', async () => {
    const { config } = await loadConfig({ environment: {}, cwd: directory, home: directory })
    for (const key of ['rest.prt', 'rest.port.x', '', 'rest.constructor', '__proto__', 'p2p.listen_address.0']) {
      expect(getConfigValue(config, key)).toBeUndefined()
    }
    expect(suggestConfigKey('rest.prt')).toBe('rest.port')
    expect(suggestConfigKey('something else entirely')).toBeUndefined()
  })

  test('gives values and sections, also by a deprecated name', async () => {
    const { config } = await loadConfig({ environment: {}, cwd: directory, home: directory })
    expect(getConfigValue(config, 'REST.port')).toBe(9999)
    expect(getConfigValue(config, 'rest')).toEqual({ addr: '127.0.0.1', port: 9999, socket: 'auto' })
    expect(getConfigValue(config, 'observability.elasticsearch_index')).toBe('nunet-dms')
  })
})

describe('findConfigFile', () => {
  test('names the file that a first write creates when there is none', async () => {
    const home = join(directory, 'home')
    const found = await findConfigFile({ environment: {}, cwd: directory, home })
    // a machine may have /etc/nunet/dms_config.json
    expect(found).toEqual(
      found.exists
        ? { path: '/etc/nunet/dms_config.json', exists: true }
        : { path: join(home, '.nunet', 'dms_config.json'), exists: false }
    )
    expect(await findConfigFile({ environment: {}, cwd: directory, home, configPath: '~/x.json' })).toEqual({
      path: join(home, 'x.json'),
      exists: false
    })
  })

  test('names the file that exists', async () => {
    await writeFile(path, 'broken')
    expect(await findConfigFile({ environment: {}, cwd: directory, home: directory })).toEqual({ path, exists: true })
  })
})
