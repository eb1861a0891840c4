import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import vectors from '../../test/vectors/identity.json' with { type: 'json' }
import { encodeHex, utf8 } from '../base/index.ts'
import { didOf, isHashedCose, verifySignature } from '../identity/index.ts'
import { createEternlWallet } from './eternl.ts'
import { createRecordingHost, installPrograms, pathWith, spawnTool } from './fixtures.ts'
import { createWalletSigner, readWalletDid } from './signer.ts'

let programs = ''
beforeAll(async () => {
  programs = await installPrograms('eternl-cli')
})
afterAll(() => rm(programs, { recursive: true }))

const MESSAGE = utf8('dms:token:{"act":"delegate"}')

/** The wallet behind the stand-in, or behind a program that prints this. */
function walletThat(mood: string) {
  const environment = { PATH: pathWith(programs), STAND_IN_MOOD: mood }
  const host = createRecordingHost(environment, { runTool: spawnTool(environment) })
  return { kind: 'eternl' as const, wallet: createEternlWallet(host), host }
}

function walletPrinting(text: string) {
  const calls: (readonly string[])[] = []
  const host = createRecordingHost(
    { PATH: pathWith(programs) },
    {
      async runTool({ args, onOutput }) {
        calls.push(args)
        await onOutput(text)
        return 0
      }
    }
  )
  return { kind: 'eternl' as const, wallet: createEternlWallet(host), host, calls }
}

describe('Eternl refuses', () => {
  test('when its program is missing', async () => {
    const host = createRecordingHost({ PATH: '/nowhere' })
    await expect(createEternlWallet(host).publicKey()).rejects.toThrow("can't find eternl-cli in PATH")
  })

  test.each([
    ['no-key', 'pub value not found in output'],
    ['two-keys', 'printed 2 different values of PubKeyRaw'],
    ['foreign', 'do not belong together'],
    ['endless', 'printed over 262144 characters'],
    ['fails', 'ended with exit code 3']
  ])('a key when the program is %s', async (mood, reason) => {
    await expect(walletThat(mood).wallet.publicKey()).rejects.toThrow(reason)
  })

  test.each([
    ['no-signature', 'sig value not found in output'],
    ['hashed', 'signed a hash of the token (hashed: true), which no other node accepts'],
    ['foreign', 'does not verify with its key; it was not used'],
    ['fails', 'ended with exit code 3']
  ])('a signature when the program is %s', async (mood, reason) => {
    const did = await readWalletDid(walletThat(''))
    const signing = createWalletSigner(did, walletThat(mood)).sign(MESSAGE)
    // what the foreign one printed for the key is refused already when it is asked again
    await expect(signing).rejects.toThrow(mood === 'foreign' ? /not verify|belong together/ : reason)
  })

  test.each(['PubKeyRaw:[abc]', 'PubKeyRaw:[00]'])('a key that is printed as %s', async (text) => {
    await expect(walletPrinting(text).wallet.publicKey()).rejects.toMatchObject({ code: 'WALLET_BAD_ANSWER' })
  })

  test('to sign with another key than that of the context, and names both', async () => {
    const did = didOf({ type: 'cardano', bytes: new Uint8Array(32).fill(1) })
    const open = walletThat('')
    await expect(createWalletSigner(did, open).sign(MESSAGE)).rejects.toMatchObject({ code: 'WALLET_WRONG_KEY' })
  })
})

describe('Eternl', () => {
  test('is asked for its key as the reference does, and the recorded answer is understood', async () => {
    const { coseKeyHex, coseSign1Hex, rawPublicKeyHex } = vectors.eternlCose
    const open = walletPrinting(`opening…\nPubKeyRaw:[${coseKeyHex}] Signature:[${coseSign1Hex}]\n`)
    expect(encodeHex(await open.wallet.publicKey())).toBe(rawPublicKeyHex)
    expect(open.calls).toEqual([['6765745F7075626B6579']])
    const did = didOf({ type: 'cardano', bytes: Buffer.from(rawPublicKeyHex, 'hex') })
    const signature = await createWalletSigner(did, open).sign(utf8(vectors.eternlCose.payloadUtf8))
    expect(encodeHex(signature)).toBe(coseSign1Hex)
    expect(isHashedCose(signature)).toBe(false)
    expect(open.host.told.join()).toContain('Confirm in your Eternl wallet')
  })

  test.each(['', 'raw-key'])('signs through its program (%j)', async (mood) => {
    const open = walletThat(mood)
    const did = await readWalletDid(open)
    expect(did).toMatch(/^did:key:zE4M/)
    const signature = await createWalletSigner(did, open).sign(MESSAGE)
    expect(verifySignature(did, MESSAGE, signature)).toBe(true)
  })
})
