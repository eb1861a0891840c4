import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeGoJson, isJsonObject, type JsonValue } from '../base/index.ts'
import { getConfigValue } from './edit.ts'
import { configKeys } from './key-list.ts'
import { loadConfig } from './load.ts'
import { MASK, maskSecrets, shareableConfig } from './mask.ts'
import type { Config } from './schema.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dms-mask-'))
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function load(members: JsonValue): Promise<Config> {
  const configPath = join(root, 'test.json')
  await writeFile(configPath, JSON.stringify(members))
  return (await loadConfig({ environment: {}, cwd: root, home: root, configPath })).config
}

const SECRET_KEYS = configKeys().filter(({ isSecret, successor }) => isSecret && successor === undefined)

/** Every secret key there is set to `hunter2`. */
function allSecrets(): JsonValue {
  return SECRET_KEYS.reduce<JsonValue>((members, { name }) => put(members, name.split('.')), {})
}

function put(members: JsonValue, [first = '', ...rest]: readonly string[]): JsonValue {
  const inner = isJsonObject(members) ? members : {}
  return { ...inner, [first]: rest.length === 0 ? 'hunter2' : put(inner[first] ?? {}, rest) }
}

describe('the configuration without its secrets', () => {
  test.each([maskSecrets, shareableConfig])('shows none of them: %o', async (masked) => {
    const shown = masked(await load(allSecrets()))
    expect(SECRET_KEYS.length).toBeGreaterThan(4)
    expect(encodeGoJson(shown)).not.toContain('hunter2')
    for (const { name } of SECRET_KEYS) expect(getConfigValue(shown, name)).toBe(MASK)
  })

  test('leaves empty secrets empty, so that one sees that none is set, and everything else as it is', async () => {
    const config = await load({ rest: { port: 4711 } })
    expect(getConfigValue(maskSecrets(config), 'apm.api_key')).toBe('')
    expect(getConfigValue(maskSecrets(config), 'rest.port')).toBe(4711)
    expect(getConfigValue(shareableConfig(config), 'observability.elastic.url')).toBe('https://telemetry.nunet.io')
  })
})

describe('the configuration that travels in messages', () => {
  test('shows nothing of what addresses of services carry beside the service', async () => {
    const config = await load({
      general: { payment_provider: { ethereum_rpc_url: 'https://node.example/v3/hunter2' } },
      observability: { elastic: { url: 'https://user:hunter2@logs.example:9200/' } },
      apm: { server_url: 'https://apm.example/?token=hunter2' }
    })
    const shown = shareableConfig(config)
    expect(encodeGoJson(shown)).not.toContain('hunter2')
    expect(getConfigValue(shown, 'general.payment_provider.ethereum_rpc_url')).toBe(`https://node.example/${MASK}`)
    expect(getConfigValue(shown, 'observability.elastic.url')).toBe(`https://logs.example:9200/${MASK}`)
  })

  test('shows no text that external providers are set up with', async () => {
    const providers = [{ name: 'lab', type: 'local-incus', config: { token: 'hunter2', list: ['hunter2', { key: 'hunter2' }] } }]
    const shown = shareableConfig(await load({ general: { providers } }))
    expect(encodeGoJson(shown)).not.toContain('hunter2')
    expect(encodeGoJson(shown)).toContain('local-incus')
  })
})
