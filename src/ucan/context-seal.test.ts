import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, encodeBase64, fromUtf8, type JsonValue } from '../base/index.ts'
import { createVerifier, type Signer } from '../identity/index.ts'
import { encodeContextFile, parseContextFile, signContextFile } from './context-file.ts'
import { createContextStore } from './context-store.ts'
import { contextOf, grantOf, inSeconds, keyOf, NOW, successOf } from './fixtures.ts'
import { encodeToken } from './token.ts'
import type { ContextStore, Token } from './types.ts'

const user = keyOf(1)
const organization = contextOf(20)
const verifier = createVerifier()

let directory: string
let store: ContextStore

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ucan-seal-'))
  const clock: Clock = { now: () => NOW, sleep: () => Promise.resolve() }
  store = createContextStore({ directory: join(directory, 'cap'), clock })
})

afterEach(() => rm(directory, { recursive: true }))

const path = (): string => join(directory, 'cap', 'user.cap')
const readBack = (): Promise<string> => readFile(path(), 'utf8')
const withoutSignature = (text: string): string => text.replace(/,"sig":"[^"]+"\}\n$/, '}\n')
const given = (text: string): Promise<void> => writeFile(path(), text, { mode: 0o600 })

function provided(): Promise<Token> {
  return grantOf(organization, { subject: user.did })
}

/** A signed file with a root anchor and a provide anchor. */
async function createSigned(): Promise<string> {
  const file = await store.create('user', user)
  const token = await provided()
  await file.update((context) => {
    successOf(context.anchor({ kind: 'root', did: organization.did }, NOW))
    successOf(context.anchor({ kind: 'provide', token }, NOW))
  })
  return await readBack()
}

describe('the signature of a context file', () => {
  test('is refused when a root anchor was added by hand, and nothing is written over it', async () => {
    const signed = await createSigned()
    const changed = signed.replace('"roots":[', `"roots":[{"uri":"${keyOf(66).did}"},`)
    const file = await store.open('user', user)
    await given(changed)
    const refusal = { code: 'UCAN_CONTEXT_CHANGED', kind: 'forbidden' }
    await expect(store.open('user', user)).rejects.toMatchObject(refusal)
    await expect(store.read('user')).rejects.toMatchObject(refusal)
    await expect(file.update((context) => context.remove({ kind: 'root', did: organization.did }))).rejects.toMatchObject(refusal)
    await expect(store.open('user', user)).rejects.toThrow('accept it as it is with: nunet cap seal --context user')
    expect(await readBack()).toBe(changed)
    expect(file.context.list(NOW).roots).toEqual([organization.did])
  })

  test('holds for what was signed and nothing else, whichever byte of the file was changed', async () => {
    const signed = await createSigned()
    const meaning = (text: string): string => {
      const content = parseContextFile(text, NOW, verifier)
      if (!content.ok || content.value.seal === 'broken') return 'refused'
      return content.value.seal === 'unsigned' ? 'unsigned' : encodeContextFile(content.value)
    }
    const meanings = [...signed].map((character, index) =>
      meaning(signed.slice(0, index) + (character === 'a' ? 'b' : 'a') + signed.slice(index + 1))
    )
    expect(new Set(meanings)).toEqual(new Set(['refused', 'unsigned', meaning(signed)]))
    // only another name for the member hides the signature, which the notice about files without one tells
    expect(meanings.filter((found) => found === 'unsigned')).toHaveLength('sig'.length)
    expect(meanings.filter((found) => found === 'refused').length).toBeGreaterThan(600)
  })

  test.each(['5', 'null', '""', '"AAAA"', '"not base64"', '{}'])('%s is broken', async (signature) => {
    await createSigned()
    await given((await readBack()).replace(/"sig":"[^"]+"\}\n$/, `"sig":${signature}}\n`))
    await expect(store.open('user', user)).rejects.toMatchObject({ code: 'UCAN_CONTEXT_CHANGED' })
  })

  test('of another key is broken', async () => {
    const content = successOf(parseContextFile(await createSigned(), NOW, verifier))
    const other = await keyOf(2).sign(new TextEncoder().encode(`dms:context:${'0'.repeat(64)}`))
    await given(`${encodeContextFile(content).slice(0, -2)},"sig":"${encodeBase64(other)}"}\n`)
    await expect(store.read('user')).rejects.toMatchObject({ code: 'UCAN_CONTEXT_CHANGED' })
  })

  test('covers a short text that a hardware wallet can show, over what the reference would have written', async () => {
    const seen: string[] = []
    const signer: Signer = {
      did: user.did,
      sign: (message) => {
        seen.push(fromUtf8(message))
        return user.sign(message)
      }
    }
    const text = await signContextFile(successOf(parseContextFile(await createSigned(), NOW, verifier)), signer, verifier)
    expect(seen).toEqual([expect.stringMatching(/^dms:context:[0-9a-f]{64}$/)])
    expect(text).toBe(await readBack())
  })

  test('does not depend on white space and the order of members', async () => {
    const json = JSON.parse(await createSigned()) as Record<string, unknown>
    // numbers beyond 2^53 would not survive JSON.parse
    await given((await readBack()).replace(/^\{/, '{\n  ').replace(/,"(roots|sig)"/g, ' ,\n  "$1"'))
    expect(Object.keys(json)).toContain('sig')
    expect((await store.read('user')).seal).toBe('signed')
  })

  test('holds when a token expires later, though the file is then read differently', async () => {
    await createSigned()
    const later: Clock = { now: () => (NOW + 120_000) as typeof NOW, sleep: () => Promise.resolve() }
    const view = await createContextStore({ directory: join(directory, 'cap'), clock: later }).read('user')
    expect(view).toMatchObject({ seal: 'signed', anchors: { provide: [] }, setAside: { provide: [{}] } })
  })

  test('fits whatever garbage is set aside in the file', async () => {
    const anything = fc.jsonValue({ maxDepth: 3 })
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { maxLength: 5 }), fc.array(anything, { maxLength: 5 }), async (roots, tokens) => {
        const list = (values: readonly unknown[]): JsonValue => JSON.parse(JSON.stringify(values)) as JsonValue
        const text = `{"did":{"uri":"${user.did}"},"roots":${JSON.stringify(list(roots))},"provide":{"tok":${JSON.stringify(list(tokens))}}}`
        const content = parseContextFile(text, NOW, verifier)
        if (!content.ok) return
        const signed = await signContextFile(content.value, user, verifier)
        expect(successOf(parseContextFile(signed ?? '', NOW, verifier)).seal).toBe('signed')
      })
    )
  })
})

describe('a file without signature', () => {
  test('is read with one notice, and signed by the next change', async () => {
    await createSigned()
    await given(withoutSignature(await readBack()))
    const file = await store.open('user', user)
    expect(file.notices).toEqual([{ message: expect.stringContaining('it carries no signature of its key') as unknown }])
    expect((await store.read('user')).seal).toBe('unsigned')
    await file.update((context) => context.remove({ kind: 'root', did: organization.did }))
    expect(file.notices).toEqual([])
    expect((await store.read('user')).seal).toBe('signed')
  })

  test('stays as it is when nothing is changed', async () => {
    await createSigned()
    await given(withoutSignature(await readBack()))
    const before = await readBack()
    const file = await store.open('user', user)
    await file.update(() => undefined)
    expect(await readBack()).toBe(before)
  })
})

describe('a signer', () => {
  function signerThat(sign: Signer['sign']): Signer {
    return { did: user.did, sign }
  }

  test('that refuses leaves the file as it was, and no lock', async () => {
    const before = await createSigned()
    const file = await store.open(
      'user',
      signerThat(() => Promise.reject(new Error('denied on the device')))
    )
    await expect(file.update((context) => context.remove({ kind: 'root', did: organization.did }))).rejects.toThrow('denied')
    expect(await readBack()).toBe(before)
    expect(file.context.list(NOW).roots).toEqual([organization.did])
    expect(await readdir(join(directory, 'cap'))).toEqual(['user.cap'])
  })

  test('whose signature does not fit its DID saves nothing', async () => {
    const before = await createSigned()
    const file = await store.open(
      'user',
      signerThat((message) => keyOf(2).sign(message))
    )
    const change = file.update((context) => context.remove({ kind: 'root', did: organization.did }))
    await expect(change).rejects.toMatchObject({ code: 'UCAN_WRONG_KEY' })
    expect(await readBack()).toBe(before)
  })

  test('that takes its time keeps nobody else from saving, and both changes are kept', async () => {
    await createSigned()
    let others = 0
    const slow = await store.open(
      'user',
      signerThat(async (message) => {
        if (others === 0) {
          others += 1
          const quick = await store.open('user', user)
          await quick.update((context) => context.anchor({ kind: 'root', did: keyOf(3).did }, NOW))
        }
        return user.sign(message)
      })
    )
    await slow.update((context) => context.anchor({ kind: 'root', did: keyOf(4).did }, NOW))
    expect(others).toBe(1)
    expect((await store.read('user')).anchors.roots).toEqual([organization.did, keyOf(3).did, keyOf(4).did])
  })

  test('gives up, with nothing overwritten, when somebody else saves every time', async () => {
    await createSigned()
    let number = 100
    const late = await store.open(
      'user',
      signerThat(async (message) => {
        number += 1
        const quick = await store.open('user', user)
        await quick.update((context) => context.anchor({ kind: 'root', did: keyOf(number).did }, NOW))
        return user.sign(message)
      })
    )
    const change = late.update((context) => context.remove({ kind: 'root', did: organization.did }))
    await expect(change).rejects.toMatchObject({ code: 'UCAN_CONTEXT_BUSY', kind: 'conflict' })
    expect((await store.read('user')).anchors.roots).toContain(organization.did)
  })
})

describe('seal', () => {
  test('refuses a text that changed after it was looked at', async () => {
    await createSigned()
    const { digest } = await store.read('user')
    await given((await readBack()).replace('"roots":[', `"roots":[{"uri":"${keyOf(66).did}"},`))
    await expect(store.seal('user', user, digest)).rejects.toMatchObject({ code: 'UCAN_CONTEXT_BUSY' })
  })

  test('refuses the key of somebody else', async () => {
    await createSigned()
    const { digest } = await store.read('user')
    await expect(store.seal('user', keyOf(2), digest)).rejects.toMatchObject({ code: 'UCAN_WRONG_KEY' })
  })

  test('signs a changed file as it is and keeps the old one', async () => {
    const changed = (await createSigned()).replace('"roots":[', `"roots":[{"uri":"${keyOf(66).did}"},`)
    await given(changed)
    const { digest, seal, anchors } = await store.read('user', { acceptChanged: true })
    expect({ seal, roots: anchors.roots }).toEqual({ seal: 'broken', roots: [keyOf(66).did, organization.did] })
    const copy = await store.seal('user', user, digest)
    expect(await readFile(copy ?? '', 'utf8')).toBe(changed)
    const { context, notices } = await store.open('user', user)
    expect(context.list(NOW).roots).toEqual([keyOf(66).did, organization.did])
    expect(notices).toEqual([])
  })
})

describe('a context file that others can write', () => {
  test.each([
    [0o666, 'everybody (mode 0666)', 'chmod go-w'],
    [0o602, 'everybody (mode 0602)', 'chmod go-w']
  ])('with mode %o is refused, naming the command that closes it', async (mode, writer, remedy) => {
    const before = await createSigned()
    const file = await store.open('user', user)
    await chmod(path(), mode)
    const attempts = [() => store.open('user', user), () => store.read('user'), () => file.update(() => undefined)]
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toMatchObject({ code: 'UCAN_CONTEXT_WRITABLE', kind: 'forbidden' })
      await expect(attempt()).rejects.toThrow(`${path()} can be changed by ${writer}`)
      await expect(attempt()).rejects.toThrow(`run ${remedy} ${path()}`)
    }
    expect(await readBack()).toBe(before)
  })

  test('is refused in a directory in which everybody can replace files', async () => {
    await createSigned()
    const folder = join(directory, 'cap')
    await chmod(folder, 0o777)
    await expect(store.open('user', user)).rejects.toThrow(`run chmod o-w ${folder}`)
    await chmod(folder, 0o1777)
    expect((await store.open('user', user)).notices).toEqual([])
  })

  test.each([0o600, 0o640, 0o644, 0o400])('with mode %o is read: only its owner can write it', async (mode) => {
    await createSigned()
    await chmod(path(), mode)
    expect((await store.open('user', user)).notices).toEqual([])
  })
})

describe('a context file of any size and shape', () => {
  const fileWith = (members: string): string => `{"did":{"uri":"${user.did}"},${members}}\n`

  test('is refused when it is larger than what is read, at once', async () => {
    await store.create('user', user)
    await given(fileWith(`"roots":[],"pad":"${'x'.repeat(2 ** 20)}"`))
    await expect(store.open('user', user)).rejects.toMatchObject({ code: 'DB_FILE_REFUSED' })
  })

  test('with ten thousand broken tokens is read, and tells of the first twenty', async () => {
    await store.create('user', user)
    await given(fileWith(`"roots":["x"],"provide":{"tok":[${Array.from({ length: 10_000 }, () => '{"dms":{}}').join(',')}]}`))
    const { notices } = await store.open('user', user)
    expect(notices).toHaveLength(1 + 20 + 1)
    expect(notices.at(-1)?.message).toBe('9981 more entries are not used')
  })

  test('with as many real tokens as fit is read within seconds, a broken one among them', async () => {
    const file = await store.create('user', user)
    const token = await provided()
    const text = await readBack()
    const tokens = await Promise.all(
      Array.from({ length: 2000 }, () => grantOf(organization, { subject: user.did, expiresAt: inSeconds(30) }))
    )
    const list = ['null', ...[...tokens, token].map(encodeToken)].join(',')
    await given(withoutSignature(text).replace('"provide":{}', `"provide":{"tok":[${list}]}`))
    const view = await store.read('user')
    expect(view.anchors.provide).toHaveLength(2001)
    expect(file.path).toBe(view.path)
  }, 20_000)

  test('never grows beyond what is read again', async () => {
    await store.create('user', user)
    await given(fileWith(`"roots":["${'x'.repeat(2 ** 20 - 200)}"]`))
    const before = await readBack()
    const file = await store.open('user', user)
    const change = file.update((context) => context.anchor({ kind: 'root', did: organization.did }, NOW))
    await expect(change).rejects.toMatchObject({ code: 'UCAN_CONTEXT_FULL', kind: 'exhausted' })
    expect(await readBack()).toBe(before)
  })

  test('with a chain that is too deep is read without it', async () => {
    await store.create('user', user)
    const deep = `${'{"dms":{"chain":'.repeat(30)}null${'}}'.repeat(30)}`
    await given(fileWith(`"roots":[{"uri":"${organization.did}"}],"provide":{"tok":[${deep}]}`))
    const { context, notices } = await store.open('user', user)
    expect(context.list(NOW).roots).toEqual([organization.did])
    expect(notices.map(({ message }) => message).join()).toContain('provide entry 1 is not used: bad token')
  })
})
