import type { JsonValue } from '../../base/index.ts'
import type { KeyFileReport } from '../../identity/index.ts'
import { agentOf } from '../agents.ts'
import { type Column, printRows } from '../columns.ts'
import type { Action } from '../command.ts'
import { confirmReplacement } from '../confirm.ts'
import { UsageError } from '../errors.ts'
import { createKey, keystoreOf } from '../keys.ts'
import { note, printJson, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { refuseWallet } from '../wallet-names.ts'

/** `nunet key new <name>`: stdout has the DID and nothing else (A §12.1). */
export const newKey: Action = async ({ args: [name = ''], flags }, io) => {
  refuseWallet(name, `its key was made there; show its DID with: nunet key did ${name}`)
  const type = keyTypeOf(flags.text('type'))
  const { config } = await loadSettings(flags, io)
  const keystore = keystoreOf(config, io)
  const exists = await keystore.exists(name)
  if (exists && !flags.isOn('force')) {
    await confirmReplacement(io, {
      complaint: `a key with name '${name}' already exists`,
      question: `A key with name '${name}' already exists. Do you want to overwrite it with a new one?`
    })
  }
  const key = await createKey(keystore, name, io, { overwrite: exists, type })
  await printLine(io, key.did)
}

/** `nunet key list`: one name per line, or what is known of each without its passphrase. */
export const listKeys: Action = async ({ flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const keystore = keystoreOf(config, io)
  const names = await keystore.list()
  const isJson = flags.isOn('json')
  if (!isJson && !flags.isOn('long')) {
    for (const name of names) await printLine(io, name)
    return
  }
  const agent = await agentOf(config, io)
  // the list is about files: an agent that cannot be asked leaves out the DIDs only
  const unlocked = (await agent?.list().catch(() => undefined)) ?? []
  const reports = await Promise.all(names.map((name) => keystore.inspect(name)))
  const didOf = (name: string): string | undefined => unlocked.find((key) => key.name === name)?.did
  if (isJson)
    return await printJson(
      io,
      reports.map((report) => toJson(report, didOf(report.name)))
    )
  const rows = reports.map((report) => [report.name, octal(report), didOf(report.name) ?? 'locked'])
  await printRows(io, COLUMNS, rows)
  for (const { path, problems } of reports) for (const problem of problems) await note(io, `Warning: ${path} ${problem}`)
}

const COLUMNS: readonly Column[] = [{ title: 'NAME' }, { title: 'MODE' }, { title: 'DID', isWhole: true }]

function toJson(report: KeyFileReport, did: string | undefined): JsonValue {
  const { name, path, problems } = report
  return { name, path, mode: octal(report), ...(did === undefined ? {} : { did }), problems }
}

function octal({ mode }: KeyFileReport): string {
  return mode === undefined ? '----' : mode.toString(8).padStart(4, '0')
}

function keyTypeOf(text: string | undefined): 'ed25519' | 'secp256k1' {
  if (text === 'ed25519' || text === 'secp256k1') return text
  throw new UsageError(`--type must be ed25519 or secp256k1, not ${text ?? ''}`)
}
