import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { encodeHex } from '../../base/index.ts'
import { writePrivateFile } from '../../db/index.ts'
import type { Action, Flags } from '../command.ts'
import { confirmByName } from '../confirm.ts'
import { NoFileError, UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import { keystoreOf, openStored, readKey } from '../keys.ts'
import { note, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'

/** `nunet key export <name>`: the encrypted key file, or with `--plain` the private key itself. */
export const exportKey: Action = async ({ args: [name = ''], flags }, io) => {
  const { config } = await loadSettings(flags, io)
  const path = outputPath(flags, io)
  const stored = await readKey(keystoreOf(config, io), name)
  if (!flags.isOn('plain')) return await deliver(stored.text, path, io)
  if (!flags.isOn('yes')) {
    await confirmByName(io, {
      complaint: `without its passphrase the key ${name} protects nothing`,
      warning: `Warning: whoever sees the private key of ${name} is ${name} from then on.`,
      name
    })
  }
  const key = await openStored(stored, name, io)
  const privateKey = key.exportPrivate()
  await deliver(encodeHex(privateKey), path, io)
  privateKey.fill(0)
}

function outputPath(flags: Flags, { cwd }: Io): string | undefined {
  const given = flags.text('output')
  if (given === undefined) return undefined
  if (given === '') throw new UsageError('--output must name a file')
  const path = resolve(cwd, given)
  if (!existsSync(dirname(path))) throw new NoFileError(`the directory ${dirname(path)} does not exist`)
  return path
}

async function deliver(text: string, path: string | undefined, io: Io): Promise<void> {
  if (path === undefined) return await printLine(io, text)
  await writePrivateFile(path, text, { overwrite: false })
  await note(io, `written to ${path}, mode 0600`)
}
