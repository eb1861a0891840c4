import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import vectors from '../../test/vectors/identity.json' with { type: 'json' }
import { type Clock, encodeHex, systemClock, utf8 } from '../base/index.ts'
import { didOf } from '../identity/index.ts'
import { createRecordingHost, type RecordingHost } from './fixtures.ts'
import type { ToolCall } from './host.ts'
import { type LedgerProgram, readProgramKey, signWithProgram } from './ledger-cli.ts'

let temporaryDirectory = ''
beforeEach(async () => {
  temporaryDirectory = await mkdtemp(join(tmpdir(), 'wallet-ledger-cli-'))
})
afterEach(() => rm(temporaryDirectory, { recursive: true }))

/** A program that leaves this in its output file. */
function programThat(act: (call: ToolCall, file: string) => Promise<number>, clock?: RecordingHost['clock']) {
  const calls: ToolCall[] = []
  const runTool = async (call: ToolCall): Promise<number> => {
    calls.push(call)
    return await act(call, call.args[2] ?? '')
  }
  const host = createRecordingHost({}, { runTool, temporaryDirectory })
  const program: LedgerProgram = { ...host, ...(clock === undefined ? {} : { clock }), command: '/opt/ledger-cli', account: 0 }
  return { calls, host, program }
}

const writing = (text: string) =>
  programThat(async (_call, file) => {
    await writeFile(file, text)
    return 0
  })

const MESSAGE = utf8('payload')

describe('the vectors of ledger-cli', () => {
  test('the key: arguments, private output file, DID', async () => {
    const modes: number[] = []
    const { program, calls } = programThat(async (_call, file) => {
      modes.push((await stat(file)).mode & 0o777, (await stat(dirname(file))).mode & 0o777)
      await writeFile(file, vectors.ledgerCli.keyCall.fileWritten)
      return 0
    })
    const key = await readProgramKey(program)
    expect(didOf({ type: 'eth', bytes: key })).toBe(vectors.ledgerCli.keyCall.didComputed)
    const [file = ''] = calls.map(({ args }) => args[2] ?? '')
    expect(calls[0]?.args).toEqual(vectors.ledgerCli.keyCall.argv.map((word) => (word === '<tmp>' ? file : word)))
    expect(basename(file)).toMatch(/^ledger\.out/)
    expect(modes).toEqual([0o600, 0o700])
    expect(await readdir(temporaryDirectory)).toEqual([])
  })

  test('a signature: arguments and DER', async () => {
    const { program, calls } = writing(vectors.ledgerCli.signCall.fileWritten)
    const signature = await signWithProgram(program, MESSAGE)
    expect(encodeHex(signature)).toBe(vectors.ledgerCli.signCall.signatureDerHexComputed)
    expect(calls[0]?.args.toSpliced(2, 1, '<tmp>')).toEqual(vectors.ledgerCli.signCall.argv)
    expect(await readdir(temporaryDirectory)).toEqual([])
  })

  test.each(vectors.ethPersonalSign.cases)(
    'of $name over "$message" becomes its DER',
    async ({ rHex, sHex, derHex, message }) => {
      const trimmed = (hex: string): string => hex.replace(/^0+/, '')
      for (const [r, s] of [
        [rHex, sHex],
        [trimmed(rHex), trimmed(sHex)]
      ] as const) {
        const { program } = writing(JSON.stringify({ ecdsa: { v: 27, r, s } }))
        expect(encodeHex(await signWithProgram(program, utf8(message)))).toBe(derHex)
      }
    }
  )
})

describe('what ledger-cli leaves is refused in the words of the reference, and its file is removed:', () => {
  test.each([
    ['not-json', 'parse ledger output'],
    ['[]', 'parse ledger output'],
    ['{"address":"x"}', 'parse ledger output'],
    ['\xff\xfe', 'parse ledger output'],
    [' '.repeat(2 ** 20 + 1), 'parse ledger output'],
    ['{"key":"ZZZ","address":"x"}', 'decode ledger key'],
    ['{"key":"02","address":"x"}', 'unmarshal ledger raw key'],
    [`{"key":"02${'ff'.repeat(32)}"}`, 'unmarshal ledger raw key']
  ])('%.30j for a key', async (text, reason) => {
    const { program } = programThat(async (_call, file) => {
      await writeFile(file, text, 'latin1')
      return 0
    })
    await expect(readProgramKey(program)).rejects.toMatchObject({
      code: 'WALLET_PROGRAM_FAILED',
      message: expect.stringContaining(reason) as string
    })
    expect(await readdir(temporaryDirectory)).toEqual([])
  })

  test.each([
    ['{"ecdsa":1}', 'parse ledger output'],
    ['{"ecdsa":{"r":1,"s":"01"}}', 'parse ledger output'],
    ['{"ecdsa":{"r":"0x01","s":"01"}}', 'error decoding signature r'],
    ['{"ecdsa":{"r":"01","s":"zz"}}', 'error decoding signature s'],
    [`{"ecdsa":{"r":"${'ff'.repeat(33)}","s":"01"}}`, 'signature r overflowed'],
    [`{"ecdsa":{"r":"01","s":"${'ff'.repeat(32)}"}}`, 'signature s overflowed'],
    ['{"ecdsa":{"r":"01","s":""}}', 'signature s overflowed']
  ])('%s for a signature', async (text, reason) => {
    const { program } = writing(text)
    await expect(signWithProgram(program, MESSAGE)).rejects.toMatchObject({
      code: 'WALLET_PROGRAM_FAILED',
      message: expect.stringContaining(reason) as string
    })
  })

  test('no file at all', async () => {
    const { program } = programThat(async (_call, file) => {
      await rm(file)
      return 0
    })
    await expect(readProgramKey(program)).rejects.toThrow('open ledger output')
  })
})

describe('ledger-cli itself', () => {
  test('that ends with an error is an error, also when it left a result', async () => {
    const { program } = programThat(async (_call, file) => {
      await writeFile(file, vectors.ledgerCli.keyCall.fileWritten)
      return 3
    })
    await expect(readProgramKey(program)).rejects.toThrow('error executing ledger cli: /opt/ledger-cli ended with exit code 3')
    expect(await readdir(temporaryDirectory)).toEqual([])
  })

  test('that cannot be started is an error', async () => {
    const { program } = programThat(async () => {
      throw new Error('spawn EACCES')
    })
    await expect(readProgramKey(program)).rejects.toThrow('error executing ledger cli: spawn EACCES')
    expect(await readdir(temporaryDirectory)).toEqual([])
  })

  test('that hangs is given up after five minutes and told to end', async () => {
    let start: () => void = () => undefined
    const started = new Promise<void>((resolve) => {
      start = resolve
    })
    const waited: number[] = []
    const clock: Clock = {
      now: systemClock.now,
      sleep: async (duration) => {
        waited.push(duration)
        await started
      }
    }
    const hanging = async (): Promise<never> => {
      start()
      return await new Promise(() => undefined)
    }
    const { program, calls } = programThat(hanging, clock)
    await expect(readProgramKey(program)).rejects.toMatchObject({ code: 'WALLET_TIMEOUT' })
    expect(waited).toEqual([300_000])
    expect(calls[0]?.signal?.aborted).toBe(true)
    expect(await readdir(temporaryDirectory)).toEqual([])
  })

  test('prints to stderr only', async () => {
    const { program, host } = programThat(async ({ onOutput }, file) => {
      await onOutput('Please confirm on the device\n')
      await writeFile(file, vectors.ledgerCli.keyCall.fileWritten)
      return 0
    })
    await readProgramKey(program)
    expect(host.printed).toEqual(['Please confirm on the device\n'])
  })
})
