import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeToken, parseTokens, type Token } from '../ucan/index.ts'
import { type CallOptions, call, type Outcome } from './fixtures.ts'

const NOW = '2026-06-01T12:00:00Z'
const LATER = '2030-01-01'

let home = ''
/** `org` is the organization, `user` owns `node`, and `peer` is another node that requires what the organization grants. */
const dids = new Map<string, string>()
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cmd-explain-'))
  for (const name of ['org', 'user', 'node', 'peer']) dids.set(name, (await succeed(`cap new ${name}`)).trim())
})
afterEach(() => rm(home, { recursive: true }))

function run(line: string, options: CallOptions = {}): Promise<Outcome> {
  return call(home, line.split(' '), { now: NOW, ...options })
}

async function succeed(line: string, options: CallOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(line, options)
  expect(code, `${line}: ${stderr}`).toBe(0)
  return stdout
}

function did(name: string): string {
  return dids.get(name) ?? ''
}

/** `--context C --require T` and the like, the token from stdin. */
async function anchor(context: string, kind: string, token: string): Promise<void> {
  await succeed(`cap anchor --context ${context} --${kind} -`, { input: token })
}

/** The chain of the quick start: the organization's word for the user, passed on to the node; the peer requires the organization. */
async function quickStart(options: { readonly granted?: string; readonly delegated?: string } = {}): Promise<string> {
  const {
    granted = '--cap /public --cap /broadcast --topic /nunet',
    delegated = '--cap /public --cap /broadcast --topic /nunet'
  } = options
  await anchor(
    'peer',
    'require',
    await succeed(`cap grant --context peer --cap /public --cap /broadcast --topic /nunet --expiry ${LATER} ${did('org')}`)
  )
  const token = await succeed(`cap grant --context org ${granted} --expiry ${LATER} ${did('user')}`)
  await anchor('user', 'provide', token)
  await anchor('node', 'provide', await succeed(`cap delegate --context user ${delegated} --expiry 2029-01-01 ${did('node')}`))
  return token
}

/** No passphrase: explaining needs no key. */
async function explain(rest: string, options: CallOptions = {}): Promise<string> {
  return await succeed(`cap explain ${rest}`, { passphrase: '', ...options })
}

describe('cap explain of a call that is refused names', () => {
  test('that nothing is anchored', async () => {
    const text = await explain(`--context node --to ${did('peer')} /public/hello`)
    expect(text).toMatch(/^refused: \/public\/hello, from \S+ \(node\) to \S+ \(peer\)\n/)
    expect(text).toContain('nothing is anchored: no provide anchor, so that it has no more than its own word')
    expect(text).toContain('is no anchor here and proves no grant by one')
  })

  test('an expired link in the middle', async () => {
    await quickStart()
    dids.set('mid', (await succeed('cap new mid')).trim())
    await anchor('mid', 'provide', await succeed(`cap delegate --context user --cap /public --expiry 2028-06-01 ${did('mid')}`))
    const last = await succeed(`cap delegate --context mid --cap /public --expiry 2028-05-01 ${did('node')}`)
    await succeed(`cap remove --context node --provide -`, { input: providedIn(await succeed('cap list --context node')) })
    await anchor('node', 'provide', last)
    const text = await explain(`--context node --to ${did('peer')} --at 2029-06-01 /public/hello`)
    expect(text).toContain('because link 2 of org -> user -> mid -> node: expired at 2028-06-01T00:00:00.000Z (at the caller)')
    const inspected = await succeed('cap inspect -', { input: last, now: '2029-06-01T00:00:00Z', passphrase: '' })
    expect(inspected).toMatch(/2\. delegate: \S+ \(user\) -> \S+ \(mid\)[\s\S]*BROKEN {4}expired at 2028-06-01T00:00:00.000Z/)
  })

  test('a wrong topic', async () => {
    await quickStart()
    const text = await explain(`--context node --to ${did('peer')} --topic /other /broadcast/hello`)
    expect(text).toContain('because link 2 of org -> user -> node: the call needs the topic "/other", but was given "/nunet"')
  })

  test('a chain that is too deep', async () => {
    await quickStart({ granted: '--cap /public --depth 2', delegated: '--cap /public' })
    await anchor('peer', 'provide', await succeed(`cap grant --context node --cap /public --expiry ${LATER} ${did('peer')}`))
    expect(await explain(`--context node --to ${did('peer')} /public/hello`)).toMatch(/^allowed/)
    const further = await run(`cap delegate --context node --cap /public --expiry 2028-01-01 ${did('peer')}`)
    expect(further.code).toBe(77)
    expect(further.stderr).toContain('too deep: it allows 2 more links, here are 3')
  })

  test('a wrong audience', async () => {
    await quickStart({ delegated: `--cap /public --audience ${did('org')}` })
    const text = await explain(`--context node --to ${did('peer')} /public/hello`)
    expect(text).toContain(
      `because link 2 of org -> user -> node: the call needs use at "${did('peer')}", but was given use at "${did('org')}" only`
    )
  })

  test('a revoked issuer', async () => {
    const token = await quickStart()
    const revocation = await succeed('cap revoke --context org -', { input: token })
    await anchor('peer', 'revoke', revocation)
    const text = await explain(`--context node --to ${did('peer')} /public/hello`)
    expect(text).toMatch(
      new RegExp(`because link 1 of org -> user -> node -> its actor: revoked by "${did('org')}" \\(at the callee\\)`)
    )
  })

  test('a signature of another key', async () => {
    await quickStart()
    const [token] = tokensIn(await succeed(`cap delegate --context user --cap /public --expiry 2029-01-01 ${did('node')}`))
    if (token?.chain === undefined) throw new Error('there is no chain')
    const forged = encodeToken({ ...token, chain: { ...token.chain, signature: token.signature } })
    await writeFile(join(home, 'forged.json'), forged)
    const text = await explain(`--context peer --from ${did('node')} --token forged.json /public/hello`)
    expect(text).toContain(`link 1: verify: signature: signature verification failed for a token of "${did('org')}"`)
    const { code, stderr, stdout } = await run('cap inspect forged.json --check', { passphrase: '' })
    expect(stdout).toContain('signature BAD')
    expect([code, stderr]).toEqual([77, 'Error: 1 of 1 tokens does not hold\n'])
  })

  test('what is missing in the question', async () => {
    expect(await run('cap explain --context node /public/hello')).toMatchObject({ code: 2, stdout: '' })
    expect(await run(`cap explain --context node --to ${did('peer')} public`)).toMatchObject({ code: 2, stdout: '' })
    expect(await run(`cap explain --context nobody --to ${did('peer')} /public`)).toMatchObject({ code: 66, stdout: '' })
  })
})

/** The one provide anchor in the output of `cap list`. */
function providedIn(list: string): string {
  return /provide:\n\t(.*)\n/.exec(list)?.[1] ?? ''
}

function tokensIn(text: string): readonly Token[] {
  const tokens = parseTokens(text.trim())
  if (!tokens.ok) throw new Error(tokens.error.message)
  return tokens.value
}

describe('cap explain', () => {
  test('names the chain by which a call is allowed, and answers the same from the other side', async () => {
    await quickStart()
    const text = await explain(`--context node --to ${did('peer')} /public/hello`)
    expect(text).toMatch(/^allowed: [\s\S]*allowed by org -> user -> node -> its actor, in the name of \S+ \(node\)/)
    expect(await explain(`--context peer --from ${did('node')} /public/hello`)).toMatch(/^allowed: /)
    const json = JSON.parse(await explain(`--context node --to ${did('peer')} --json /public/hello`)) as Record<string, unknown>
    expect(json).toMatchObject({ verdict: 'allowed', caller: did('node'), callee: did('peer'), capability: '/public/hello' })
  })

  test('says whom a node must trust whose context is not here', async () => {
    await quickStart()
    const stranger = 'did:key:z6MkuscdkekGKxXUvuuY9d3VEefbAyNTd8LdGZtBbFxdbDjR'
    const text = await explain(`--context node --to ${stranger} /public/hello`)
    expect(text).toMatch(/^unknown: /)
    expect(text).toContain('what is known here does not decide it')
    expect(text).not.toContain('because')
    expect(text).toContain(`it must have ${did('org')} (org) as root anchor, or a require anchor for /public/hello given to it`)
  })
})

describe('cap inspect', () => {
  test('finds the tokens of a context file, with the names of those who have a context here', async () => {
    await quickStart()
    const text = await succeed('cap inspect .nunet/cap/node.cap', { passphrase: '' })
    expect(text).toMatch(/^provide: org -> user -> node: holds until 2029-01-01T00:00:00.000Z \(in \d+ days\)\n/)
    expect(text).toContain(`1. delegate: ${did('org')} (org) -> ${did('user')} (user)`)
    const json = JSON.parse(await succeed('cap inspect .nunet/cap/node.cap --json', { passphrase: '' })) as readonly unknown[]
    expect(json).toMatchObject([{ place: 'provide', inspection: { holds: true, links: [{ link: 1 }, { link: 2 }] } }])
  })

  test('refuses what is no token, with what would be one', async () => {
    const { code, stderr } = await run('cap inspect nothing', { passphrase: '' })
    expect([code, stderr]).toEqual([
      2,
      'Error: "nothing" is no token: expected JSON such as {"tok":[…]}, a file with it, or - for stdin\n'
    ])
    expect((await run('cap inspect {"tok":[null]}')).code).toBe(2)
  })
})

describe('a context file that was changed by hand', () => {
  const path = (): string => join(home, '.nunet/cap/node.cap')

  beforeEach(async () => {
    const text = await readFile(path(), 'utf8')
    await writeFile(path(), text.replace('"roots":[]', `"roots":[{"uri":"${did('org')}"}]`))
  })

  test('is refused by every command, with what to do, and stays as it is', async () => {
    const before = await readFile(path(), 'utf8')
    for (const line of [
      `cap anchor --context node --root ${did('user')}`,
      'cap list --context node',
      `cap explain --context node --to ${did('peer')} /public`
    ]) {
      const { code, stdout, stderr } = await run(line)
      expect([code, stdout]).toEqual([77, ''])
      expect(stderr).toContain('was changed, but not with its key')
      expect(stderr).toContain('nunet cap seal --context node')
    }
    expect(await readFile(path(), 'utf8')).toBe(before)
    expect((await run('cap list --context node --unsigned-ok')).stdout).toContain(`roots:\n\t${did('org')}\n`)
  })

  test('counts again once its owner has agreed to what is in it', async () => {
    expect(await run('cap seal --context node')).toMatchObject({ code: 65 })
    expect(await run('cap seal --context node', { answers: ['n'] })).toMatchObject({ code: 65 })
    expect((await run('cap list --context node')).code).toBe(77)
    const sealed = await run('cap seal --context node', { answers: ['y'] })
    expect(sealed.code).toBe(0)
    expect(sealed.stderr).toContain(`root: ${did('org')} may do everything`)
    expect((await run('cap list --context node')).stdout).toContain(did('org'))
    expect((await run('cap seal --context node')).stderr).toContain('nothing was changed')
  })
})

test('a context file that everybody can write is refused with the command that mends it', async () => {
  await chmod(join(home, '.nunet/cap/node.cap'), 0o666)
  const { code, stdout, stderr } = await run('cap list --context node')
  expect([code, stdout]).toEqual([77, ''])
  expect(stderr).toMatch(/can be changed by everybody \(mode 0666\).*run chmod /)
})

test('cap list warns of what ends within a week, on stderr', async () => {
  await quickStart()
  const { stdout, stderr } = await run('cap list --context node', { now: '2028-12-28T00:00:00Z' })
  expect(stdout).toMatch(/^roots:\nrequire:\nprovide:\n\t\{"dms":.*\nrevoke:\n$/)
  expect(stderr).toContain('ends at 2029-01-01T00:00:00.000Z (in 4 days)')
  expect(JSON.parse((await run('cap list --context node --json')).stdout)).toMatchObject({
    did: did('node'),
    seal: 'signed',
    roots: []
  })
})
