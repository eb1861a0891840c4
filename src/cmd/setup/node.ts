import type { JsonValue } from '../../base/index.ts'
import type { Flags } from '../command.ts'
import { tellDms } from '../contexts.ts'
import type { Io } from '../io.ts'
import { keystoreOf } from '../keys.ts'
import { note, printJson, printLine } from '../output.ts'
import { loadSettings } from '../settings.ts'
import { isWalletName, refuseWallet } from '../wallet-names.ts'
import { configure } from './configure.ts'
import { chooseUser, ensureIdentity, ensureRoot } from './identify.ts'
import { findService, type Machine, ownMachine, serviceMachine } from './machine.ts'
import { createRun, type Outcome, type SetupRun, tell, tellBriefly } from './run.ts'
import { ensureRunning, withOnePassphrase, withoutQuestions } from './start.ts'

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

/** A node that runs. */
export interface RunningNode extends NodeSetup {
  readonly machine: Machine
}

/**
 * Sets up what is missing and starts the daemon, or with `--service` uses that of this computer. Asks nothing but passphrases.
 *
 * @param beforeStart - What else a machine of the user's own needs before it starts, such as settings.
 */
export async function bringUp(flags: Flags, io: Io, beforeStart?: (run: SetupRun) => Promise<void>): Promise<RunningNode> {
  const quiet = withoutQuestions(io)
  if (flags.isOn('service')) return await useService(flags, quiet)
  const { run, configuration } = await setUpNode(flags, quiet, { isBrief: true })
  await beforeStart?.(run)
  const state = await ensureRunning(run)
  if (state === 'running' && configuration.state === 'done') {
    await note(io, 'The running DMS uses the new settings after: nunet down && nunet up')
  }
  if (state === 'running' && run.outcomes.some(({ step, state: how }) => step === 'root anchor' && how === 'done')) {
    await tellDms((await run.open(run.dms)).context, flags, io)
  }
  if (run.outcomes.some(({ step, state: how }) => step.startsWith('key ') && how === 'done')) await adviseBackup(run)
  return { run, configuration, machine: await ownMachine(run) }
}

/** Only when told to: whoever answers at the place of a DMS could be any user of this computer. */
async function useService(flags: Flags, io: Io): Promise<RunningNode> {
  const { config, path } = await loadSettings(flags, io)
  const did = await findService({ io, config })
  const user = await chooseUser({ flags, io, config })
  const isNew = !isWalletName(user) && !(await keystoreOf(config, io).exists(user))
  const run = createRun({ flags, io: await withOnePassphrase(io, { name: user, isNew }), config, user, isBrief: true })
  await ensureIdentity(run, user, 'you')
  const machine = await serviceMachine(run, did)
  await run.report({ step: 'service', state: 'already', text: `the DMS ${did} runs, and obeys ${user}` })
  return { run, configuration: { step: 'configuration', state: 'already', text: path ?? 'the defaults' }, machine }
}

async function adviseBackup({ config, io }: SetupRun): Promise<void> {
  const directory = config.general.user_dir
  await note(io, `Back up ${directory}/key and ${directory}/cap, and remember the passphrase: nobody can restore them.`)
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
export async function printNode(
  { run, configuration, dms = '' }: NodeSetup & { readonly dms?: string },
  flags: Flags,
  io: Io
): Promise<void> {
  const outcomes = [configuration, ...run.outcomes]
  const dids = { user: (await run.summary(run.user)).did, dms: dms === '' ? (await run.summary(run.dms)).did : dms }
  if (flags.isOn('json')) return await printJson(io, { ...dids, steps: outcomes.map(toJson) })
  await printLine(io, `${run.user} ${dids.user}`)
  await printLine(io, `${run.dms} ${dids.dms}`)
}

function toJson({ step, state, text, command }: Outcome): JsonValue {
  return { step, state, text, ...(command === undefined ? {} : { command }) }
}
