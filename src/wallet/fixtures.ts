import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { systemClock } from '../base/index.ts'
import type { ApduTransport } from './apdu.ts'
import type { WalletHost } from './host.ts'

/** A directory for `PATH` with the named stand-ins of test/fixtures/wallets as programs. For tests only. */
export async function installPrograms(...names: readonly ('ledger-cli' | 'eternl-cli')[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'wallet-programs-'))
  for (const name of names) {
    const source = join(import.meta.dirname, '../../test/fixtures/wallets', `${name}.mjs`)
    await writeFile(join(directory, name), `#!/bin/sh\nexec "${process.execPath}" "${source}" "$@"\n`)
    await chmod(join(directory, name), 0o755)
  }
  return directory
}

/** A `PATH` with that directory first, and nothing else but what the stand-ins need. */
export function pathWith(directory: string): string {
  return [directory, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter)
}

/** Runs programs as a process does, with this environment. */
export function spawnTool(environment: WalletHost['environment']): WalletHost['runTool'] {
  return async ({ command, args, onOutput }) => {
    const child = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'ignore'] })
    const exited = once(child, 'exit')
    try {
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) await onOutput(chunk.toString('utf8'))
    } finally {
      child.kill()
    }
    const [code] = (await exited) as readonly unknown[]
    return typeof code === 'number' ? code : 128
  }
}

/** A host whose texts and program runs are kept. */
export interface RecordingHost extends WalletHost {
  readonly told: readonly string[]
  readonly printed: readonly string[]
}

/** How a {@link RecordingHost} is made. */
export interface RecordingHostOptions {
  /** Default: none is run. */
  readonly runTool?: WalletHost['runTool']
  /** Default: that of the system. */
  readonly temporaryDirectory?: string
}

/** Creates one with this environment. */
export function createRecordingHost(environment: WalletHost['environment'], options: RecordingHostOptions = {}): RecordingHost {
  const told: string[] = []
  const printed: string[] = []
  return {
    environment,
    clock: systemClock,
    temporaryDirectory: options.temporaryDirectory ?? tmpdir(),
    told,
    printed,
    tell: async (text) => void told.push(text),
    show: async (text) => void printed.push(text),
    runTool: options.runTool ?? (() => Promise.reject(new Error('no program is run in this test')))
  }
}

/** A line that answers with these bytes, in hexadecimal, one after another, and keeps what was sent. */
export function createScriptedTransport(...answers: readonly string[]): ApduTransport & { readonly sent: readonly string[] } {
  const remaining = [...answers]
  const sent: string[] = []
  return {
    sent,
    async exchange(apdu) {
      sent.push(Buffer.from(apdu).toString('hex'))
      return Buffer.from(remaining.shift() ?? '', 'hex')
    },
    close: async () => undefined
  }
}
