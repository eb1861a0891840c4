import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createChance } from '../scripts/fuzz/chance.ts'
import { readTree, writeTree } from '../scripts/fuzz/json-tree.ts'
import { minimise } from '../scripts/fuzz/minimise.ts'
import { mutateJson } from '../scripts/fuzz/mutate-json.ts'
import { mutateText } from '../scripts/fuzz/mutate-text.ts'
import { describeReport } from '../scripts/fuzz/report.ts'
import { type FuzzReport, fuzz } from '../scripts/fuzz/run.ts'
import { ACCEPTED, type FuzzSession, type FuzzTarget, must, rejected } from '../scripts/fuzz/target.ts'
import { createConfigTarget } from '../scripts/fuzz/targets/config.ts'
import { createContextTarget } from '../scripts/fuzz/targets/context.ts'
import { createDidTarget } from '../scripts/fuzz/targets/did.ts'
import { createEnvelopeTarget } from '../scripts/fuzz/targets/envelope.ts'
import { TARGETS } from '../scripts/fuzz/targets/index.ts'
import { createKeyFileTarget } from '../scripts/fuzz/targets/keyfile.ts'
import { createTokenTarget } from '../scripts/fuzz/targets/token.ts'
import { createWorld, NOW } from '../scripts/fuzz/world.ts'
import { err, ok, toNanos } from '../src/base/index.ts'
import { loadConfig, setConfigValue } from '../src/config/index.ts'
import {
  createKeystore,
  createVerifier,
  generateKeyPair,
  parseActorId,
  publicKeyOf,
  publicKeyOfPeerId
} from '../src/identity/index.ts'
import { linksOf, signedBytes, verifyToken } from '../src/ucan/index.ts'

/** A target around one check. */
function targetOf(check: FuzzSession['check'], limit?: number): FuzzTarget {
  const limitMillis = limit === undefined ? {} : { limitMillis: () => limit }
  return {
    name: 'example',
    about: 'an example',
    open: async () => ({ make: (chance) => `${chance.int(1000)}`, check, ...limitMillis, dispose: async () => undefined })
  }
}

const properties = ({ findings }: FuzzReport): readonly string[] => findings.map(({ property }) => property)

describe('a run', () => {
  test('finds a broken property, and the shortest input that breaks it', async () => {
    const report = await fuzz(
      targetOf((input) => {
        must(!input.includes('7'), 'has no 7')
        return ACCEPTED
      }),
      { seed: 1, runs: 100 }
    )
    expect(report.findings).toMatchObject([{ property: 'has no 7', input: '7' }])
    expect(describeReport(report)).toContain('FINDING at input')
  })

  test('takes whatever is thrown as a finding, once for each place', async () => {
    const report = await fuzz(
      targetOf(() => {
        throw new TypeError('nothing there')
      }),
      { seed: 1, runs: 100 }
    )
    expect(properties(report)).toEqual([expect.stringContaining('TypeError: nothing there')])
    expect(report.inputs).toBe(100)
  })

  test('takes an input that is slow three times as a hang, and one that is slow once as chance', async () => {
    const busy = (millis: number): void => {
      for (const end = performance.now() + millis; performance.now() < end; );
    }
    let calls = 0
    const slowOnce = targetOf(() => {
      calls += 1
      if (calls === 1) busy(30)
      return ACCEPTED
    }, 20)
    expect(properties(await fuzz(slowOnce, { seed: 1, runs: 3 }))).toEqual([])
    const slow = targetOf(() => {
      busy(30)
      return ACCEPTED
    }, 20)
    expect(properties(await fuzz(slow, { seed: 1, runs: 1 }))).toEqual(['takes no longer than 20 ms'])
  })

  test('counts the refusals by their reason, whatever values they name', async () => {
    const report = await fuzz(
      targetOf((input) => rejected(`bad number ${input} of "x${input}"`)),
      { seed: 1, runs: 50 }
    )
    expect(report).toMatchObject({ inputs: 50, accepted: 0, rejected: 50 })
    expect([...report.reasons]).toEqual([['bad number N of "…"', 50]])
  })

  test('ends at its signal, with the counts so far', async () => {
    const abort = new AbortController()
    const onInput = (index: number): void => {
      if (index === 40) abort.abort()
    }
    const report = await fuzz(
      targetOf(() => ACCEPTED),
      { seed: 1, signal: abort.signal, onInput }
    )
    expect(report.inputs).toBe(64)
  })

  test('tries the same inputs for the same seed, and each of them alone by its number', async () => {
    const first = await createTokenTarget().open(createChance(5, -1))
    const second = await createTokenTarget().open(createChance(5, -1))
    const inputs = Array.from({ length: 20 }, (_, index) => first.make(createChance(5, index)))
    expect(second.make(createChance(5, 13))).toBe(inputs[13])
    expect(Array.from({ length: 20 }, (_, index) => second.make(createChance(5, index)))).toEqual(inputs)
    expect(Array.from({ length: 20 }, (_, index) => second.make(createChance(6, index)))).not.toEqual(inputs)
  })
})

test('minimising keeps what matters and nothing else', async () => {
  const isInteresting = async (text: string): Promise<boolean> => text.includes('a') && text.endsWith('z')
  expect(await minimise('xxaxxxxbxxxxxxz', isInteresting)).toBe('az')
})

test('the mutations of JSON reach other trees, the same tree in other words, and what is no JSON', () => {
  const text = '{"a":[1,"x",{"b":null}],"c":"AAAA"}'
  const mutants = Array.from({ length: 400 }, (_, index) => mutateJson(text, createChance(3, index), ['{"a":[2]}']))
  expect(new Set(mutants).size).toBeGreaterThan(200)
  expect(mutants.filter((mutant) => readTree(mutant) === undefined).length).toBeGreaterThan(10)
  expect(mutants.filter((mutant) => mutant.includes('__proto__') || mutant.includes('9007199254740993')).length).toBeGreaterThan(
    0
  )
  expect(writeTree(readTree(text) ?? { kind: 'leaf', source: '' })).toBe(text)
  expect(mutateText('', createChance(1, 1))).toBeTypeOf('string')
})

describe('the world of the token targets', () => {
  test('has valid chains of all lengths from keys of all four kinds', async () => {
    const { tokens, organizations, isSigned } = await createWorld(createChance(1, -1))
    const verifier = createVerifier()
    expect(organizations).toHaveLength(4)
    expect(tokens).toHaveLength(32)
    for (const token of tokens) expect(verifyToken(token, toNanos(NOW), { verifier })).toMatchObject({ ok: true })
    expect(tokens.every(isSigned)).toBe(true)
  })
})

/** A target with a fault planted in what it fuzzes, the property that must notice, and the inputs after which it has. */
interface PlantedFault {
  readonly fault: string
  readonly create: () => FuzzTarget
  readonly property: string
  readonly runs?: number
}

const FAULTS: readonly PlantedFault[] = [
  {
    fault: 'a verifier that takes every signature',
    create: () => createTokenTarget({ verifier: { verify: () => true } }),
    property: 'no altered token is accepted'
  },
  {
    fault: 'a verifier that does not look at the end of a signature',
    create: () => {
      const { verify } = createVerifier()
      const signatures = new Map<string, Uint8Array>()
      return createTokenTarget({
        verifier: {
          verify(did, message, signature) {
            const start = `${did} ${Buffer.from(signature.subarray(0, 8)).toString('hex')}`
            if (verify(did, message, signature)) signatures.set(start, signature)
            return signatures.has(start)
          }
        }
      })
    },
    property: 'no altered token is accepted'
  },
  {
    fault: 'a verifier of chains that only looks at signatures',
    create: () =>
      createTokenTarget({
        verifyToken: (token, _, { verifier }) =>
          linksOf(token).every((link) => verifier.verify(link.issuer, signedBytes(link), link.signature))
            ? ok(undefined)
            : err({ reason: 'bad-signature', message: 'bad', known: false })
      }),
    property: 'no link of a chain that verifies claims more than it was given'
  },
  {
    fault: 'a verifier that takes every anchor',
    create: () => createContextTarget({ verifier: { verify: () => true } }),
    property: 'no altered token is a'
  },
  {
    fault: 'a reader of DIDs that forgives an end',
    create: () =>
      createDidTarget({
        publicKeyOf: (text) => publicKeyOf(text.trim().replace(/[^1-9A-Za-z]+$/, '')),
        parseActorId,
        publicKeyOfPeerId
      }),
    property: 'what names a key is a DID',
    runs: 3000
  },
  {
    fault: 'a key store that always has a key',
    create: () =>
      createKeyFileTarget({
        createKeystore: (options) => ({ ...createKeystore(options), open: async () => generateKeyPair() })
      }),
    property: 'never opens as another key'
  },
  {
    fault: 'a key store that shows the file in its errors',
    create: () =>
      createKeyFileTarget({
        createKeystore: (options) => ({
          ...createKeystore(options),
          async open(name, passphrase) {
            throw new TypeError(`cannot open ${name} with ${passphrase.reveal()}`)
          }
        })
      }),
    property: 'throws nothing unexpected: TypeError'
  },
  {
    fault: 'a change that forgets the rest of the file',
    create: () =>
      createConfigTarget({
        loadConfig,
        async setConfigValue(edit) {
          const changed = await setConfigValue(edit)
          const { writeFile } = await import('node:fs/promises')
          await writeFile(edit.path, '{}')
          return changed
        }
      }),
    property: 'a change leaves all other members alone'
  },
  {
    fault: 'an envelope whose signature is not looked at',
    create: () => createEnvelopeTarget({ verifier: { verifyByActorId: () => true } }),
    property: 'no altered envelope has a valid signature'
  }
]

describe('a planted fault is found', () => {
  test.each(FAULTS.map((planted) => [planted.fault, planted] as const))('in %s', async (_, { create, property, runs = 100 }) => {
    const report = await fuzz(create(), { seed: 1, runs, minimiseTries: 10 })
    expect(properties(report)).toEqual(expect.arrayContaining([expect.stringContaining(property)]))
  })
})

describe('the real program', () => {
  test.each(Object.keys(TARGETS))('%s holds for a fixed handful of inputs', async (name) => {
    const target = TARGETS[name]?.()
    if (target === undefined) throw new Error(`there is no target ${name}`)
    const report = await fuzz(target, { seed: 20_240_927, runs: name === 'did' || name === 'envelope' ? 2000 : 100 })
    expect(report.findings).toEqual([])
    expect(report.accepted).toBeGreaterThan(0)
    expect(report.rejected).toBeGreaterThan(0)
  })
})

describe('the command', () => {
  interface Ended {
    readonly code: number | null
    readonly signal: string | null
    readonly out: string
    readonly err: string
  }

  const run = (...argv: string[]): Promise<Ended> => runNode('scripts/fuzz.ts', ...argv)

  async function runNode(...argv: string[]): Promise<Ended> {
    const root = join(import.meta.dirname, '..')
    const child = spawn(process.execPath, ['--import', 'tsx', ...argv], { cwd: root, timeout: 20_000, killSignal: 'SIGTERM' })
    let [out, err] = ['', '']
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString()
    })
    child.stderr.on('data', (data: Buffer) => {
      err += data.toString()
    })
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    return { code, signal, out, err }
  }

  test('says which targets there are when it is asked for another', async () => {
    const { code, err } = await run('--target', 'tokens')
    expect(code).toBe(2)
    expect(err).toContain('--target must be one of token, context, keyfile, did, config, envelope or all, not "tokens"')
  })

  test('ends itself when an input never ends, and says which', async () => {
    const program = `import { startWatchdog } from './scripts/fuzz/watchdog.ts'
      const { onInput } = await startWatchdog((index) => 'input ' + index + ' does not end', 200)
      onInput(17)
      for (;;);`
    const { signal, err } = await runNode('--input-type=module', '--eval', program)
    expect(err).toContain('FINDING: input 17 does not end')
    expect(signal).toBe('SIGKILL')
  })

  test('prints the seed and the counts', async () => {
    const { code, out } = await run('--target', 'did', '--runs', '50', '--seed', '3')
    expect(out).toMatch(/did: 50 inputs in .* seed 3\): \d+ accepted, \d+ rejected, 0 findings/)
    expect(code).toBe(0)
  })
})
