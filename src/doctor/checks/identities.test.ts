import { beforeAll, describe, expect, test } from 'vitest'
import { toNanos } from '../../base/index.ts'
import { createVerifier, generateKeyPair } from '../../identity/index.ts'
import { createContext, encodeToken, parseContextFile, signContextFile } from '../../ucan/index.ts'
import { bad, brief, defaultConfig, NOW, type Recording, subjectOf } from '../fixtures.ts'
import { identities } from './identities.ts'

const USER_DIR = '/home/owner/.nunet'
const DAY = 86_400_000
const user = generateKeyPair()
const dms = generateKeyPair()

const keyFile = (n = 2 ** 18) => JSON.stringify({ crypto: { kdfparams: { n, r: 8, p: 1 } } })

async function token(days: number): Promise<string> {
  const context = createContext({ signer: user })
  const expiresAt = toNanos(NOW) + BigInt(days * DAY) * 1_000_000n
  return encodeToken(await context.grant({ subject: dms.did, capabilities: ['/public'], topics: [], expiresAt }))
}

let lasting = ''
beforeAll(async () => {
  lasting = await token(300)
})

interface Context {
  readonly roots?: readonly string[]
  readonly require?: readonly string[]
  readonly provide?: readonly string[]
}

function contextFile({ roots = [user.did], require = [lasting], provide = [lasting] }: Context = {}): string {
  const list = (tokens: readonly string[]): string => `{"tok":[${tokens.join(',')}]}`
  const uris = roots.map((uri) => JSON.stringify({ uri })).join(',')
  return `{"did":{"uri":"${dms.did}"},"roots":[${uris}],"require":${list(require)},"provide":${list(provide)},"revoke":{}}`
}

function recording(changes: Readonly<Record<string, string>> = {}, more: Recording = {}): Recording {
  const texts = {
    'key/dms.json': keyFile(),
    'cap/dms.cap': contextFile(),
    'key/user.json': keyFile(),
    'cap/user.cap': contextFile(),
    ...changes
  }
  return { ...more, texts: Object.fromEntries(Object.entries(texts).map(([name, text]) => [`${USER_DIR}/${name}`, text])) }
}

/** As this program writes them: the files of contexts are signed by their key. */
async function signed(given: Recording): Promise<Recording> {
  const texts = Object.entries(given.texts ?? {}).map(async ([path, text]) => {
    const content = path.endsWith('.cap') ? parseContextFile(text, NOW, createVerifier()) : undefined
    if (content?.ok !== true || content.value.did !== dms.did) return [path, text]
    return [path, (await signContextFile(content.value, dms, createVerifier())) ?? text]
  })
  return { ...given, texts: Object.fromEntries(await Promise.all(texts)) as Record<string, string> }
}

const look = async (given: Recording) => identities.run(await subjectOf(await signed(given)))

describe('keys and contexts', () => {
  test('that are well are told without a passphrase', async () => {
    const findings = await look(recording())
    expect(bad(findings)).toEqual([])
    expect(brief(findings)).toContain(`ok context dms: ${dms.did}: 1 root, 1 require, 1 provide`)
    expect(brief(findings)).toContain('ok key dms: scrypt n=262144 r=8 p=1')
  })

  test('without a signature are told with the command that signs them', async () => {
    const findings = await identities.run(await subjectOf(recording()))
    expect(bad(findings)).toContain(
      `warning context dms: ${USER_DIR}/cap/dms.cap carries no signature of its key, as files of the Go program`
    )
    expect(findings.find(({ subject }) => subject === 'context dms')?.command).toBe('nunet cap seal --context dms')
  })

  test('that were changed by somebody else are a problem', async () => {
    const given = await signed(recording())
    const path = `${USER_DIR}/cap/dms.cap`
    const changed = (given.texts?.[path] ?? '').replace(user.did, generateKeyPair().did)
    const findings = await identities.run(await subjectOf({ ...given, texts: { ...given.texts, [path]: changed } }))
    expect(bad(findings)).toContain(`problem context dms: ${path} was changed, but not with its key: every command refuses it`)
  })

  test('that are missing are to be made by the setup', async () => {
    const findings = await look({})
    expect(findings).toMatchObject([{ verdict: 'warning', subject: 'identity dms', command: 'nunet setup' }])
  })

  test('that may not be seen do not count as missing', async () => {
    const files = { [USER_DIR]: { type: 'directory', uid: 0 } } as const
    expect(brief(await look({ files }))).toEqual([`skipped keys and contexts: ${USER_DIR} may not be read by this user`])
  })

  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    [
      'a weak key',
      { 'key/dms.json': keyFile(1024) },
      ['warning key dms: scrypt n=1024 r=8 p=1: passphrases can be guessed fast']
    ],
    ['a broken key', { 'key/dms.json': '{' }, [`problem key dms: ${USER_DIR}/key/dms.json is no key file`]],
    [
      'a broken context',
      { 'cap/dms.cap': '{"roots":[]}' },
      [`problem context dms: ${USER_DIR}/cap/dms.cap is no capability context: it names no DID`]
    ],
    ['a key without a context', { 'key/org.json': keyFile() }, ['warning key org: has no capability context']],
    ['a context without a key', { 'cap/wallet.cap': contextFile() }, []],
    ['a temporary file', { 'key/.dms.json.0123456789abcdef.tmp': '' }, []]
  ])('with %s are judged', async (_, changes, expected) => {
    expect(bad(await look(recording(changes)))).toEqual(expected)
  })

  test('without anchors that a network needs are warned about', async () => {
    const file = { 'cap/dms.cap': contextFile({ roots: [], require: [], provide: [] }) }
    expect(bad(await look(recording(file)))).toEqual([
      'warning context dms: no root anchor: nobody but the daemon itself may control it',
      'warning context dms: no require anchor in force: members of the network get no answer from this node',
      'warning context dms: no provide anchor in force: this node gets no answer from members of the network'
    ])
    const { config, ...loaded } = await defaultConfig()
    const alone = { ...loaded, config: { ...config, p2p: { ...config.p2p, bootstrap_peers: [] } } }
    expect(bad(await identities.run(await subjectOf(await signed(recording(file)), { config: alone })))).toHaveLength(1)
  })

  test('with tokens that end, or cannot be read, are warned about', async () => {
    const [soon, over] = [await token(3), await token(-1)]
    const file = { 'cap/user.cap': contextFile({ require: [soon, '{"dms":7}'], provide: [over] }) }
    expect(bad(await look(recording(file)))).toEqual([
      'warning context user: 1 token expired, and not used any more',
      'warning context user: 1 token expire soon, the first at 2026-06-04',
      'warning context user: 1 entry set aside, because they cannot be read'
    ])
  })

  test.each([
    [{ mode: 0o644 }, ['warning key dms: /home/owner/.nunet/key/dms.json may be read by others (mode 644)']],
    [{ mode: 0o666 }, ['problem key dms: /home/owner/.nunet/key/dms.json may be written to by others (mode 666)']],
    [{ uid: 0 }, ['problem key dms: /home/owner/.nunet/key/dms.json belongs to user 0, its directory to user 1000']]
  ])('with the wrong rights are judged: %j', async (status, expected) => {
    const findings = await look(recording({}, { files: { [`${USER_DIR}/key/dms.json`]: status } }))
    expect(bad(findings)).toEqual(expected)
    expect(findings.find(({ verdict }) => verdict !== 'ok')?.command).toMatch(/chmod 600|chown 1000/)
  })

  test('that killed commands left behind are told, and copies are counted', async () => {
    const temporary = 'cap/.dms.cap.0123456789abcdef.tmp'
    const changes = {
      [temporary]: '',
      'cap/dms.cap.1700000000': '',
      'cap/dms.cap.1700000000-2': '',
      'cap/dms.cap.lock': '{"pid":7}'
    }
    const files = { [`${USER_DIR}/${temporary}`]: { modifiedAt: (NOW - 3_600_000) as typeof NOW } }
    expect(brief(await look(recording(changes, { files }))).slice(-3)).toEqual([
      'warning temporary files: 1 left by commands that were ended',
      'ok locks: 1 of ended processes; the next command takes them over',
      'ok copies: 2 of earlier keys and contexts; the newest ten of each are kept'
    ])
  })
})
