import type { JsonValue } from '../../base/index.ts'
import type { Flags } from '../command.ts'
import type { Io } from '../io.ts'
import { keystoreOf } from '../keys.ts'
import { printJson, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { isWalletName, refuseWallet } from '../wallet-names.ts'
import { configure } from './configure.ts'
import { chooseUser, ensureIdentity, ensureRoot } from './identify.ts'
import { createRun, type Outcome, type SetupRun, tell, tellBriefly } from './run.ts'
import { withOnePassphrase } from './start.ts'

/** A node that is set up, and how its configuration came about; the other steps are outcomes of the run. */
export interface NodeSetup {
  readonly run: SetupRun
  readonly configuration: Outcome
}

/** How a node is set up. */
export interface NodeSetupOptions {
  /** Whether only changes are told, and the keys that are made share one passphrase, so that it is asked for once. */
  readonly isBrief?: boolean
}

/** Does what is missing until a node has a configuration, two identities, and an owner; nothing of it twice. */
export async function setUpNode(flags: Flags, io: Io, { isBrief = false }: NodeSetupOptions = {}): Promise<NodeSetup> {
  refuseWallet(flags.text('context') ?? '', 'the service signs every message by itself and needs a key of this machine')
  const configuration = await configure(flags, io)
  const { config } = await loadSettings(flags, io)
  await (isBrief ? tellBriefly : tell)(io, configuration)
  const user = await chooseUser({ flags, io, config })
  const keystore = keystoreOf(config, io)
  const dms = flags.text('context') ?? 'dms'
  const isNew = !(await keystore.exists(dms)) && (isWalletName(user) || !(await keystore.exists(user)))
  const withPassphrase = isBrief ? await withOnePassphrase(io, { name: dms, isNew }) : io
  const run = createRun({ flags, io: withPassphrase, config, user, isBrief })
  await ensureIdentity(run, run.user, 'you')
  await ensureIdentity(run, run.dms, 'this machine')
  await ensureRoot(run)
  return { run, configuration }
}

/** Prints the DIDs of the user and of the machine, or with `--json` all steps too. */
export async function printNode(run: SetupRun, outcomes: readonly Outcome[], flags: Flags, io: Io): Promise<void> {
  const dids = { user: (await run.summary(run.user)).did, dms: (await run.summary(run.dms)).did }
  if (flags.isOn('json')) return await printJson(io, { ...dids, steps: outcomes.map(toJson) })
  await printLine(io, `${run.user} ${dids.user}`)
  await printLine(io, `${run.dms} ${dids.dms}`)
}

function toJson({ step, state, text, command }: Outcome): JsonValue {
  return { step, state, text, ...(command === undefined ? {} : { command }) }
}
