import { DmsError, err, isJsonObject, type JsonValue, ok, type Result, seconds } from '../../base/index.ts'
import { ClientUnavailableError, createSession, type Session } from '../../client/index.ts'
import { clientOf } from '../clients.ts'
import type { Flags } from '../command.ts'
import { failureIn } from '../commands/actor-cmd.ts'
import { NoTerminalError, RefusedReplyError } from '../errors.ts'
import { withProgress } from '../progress.ts'
import { parseSize } from '../quantities.ts'
import { isWalletName } from '../wallet-names.ts'
import { ask, confirm } from './interview.ts'
import type { SetupRun } from './run.ts'

const ONBOARD = '/dms/node/onboarding/onboard'
const STATUS = '/dms/node/onboarding/status'
const GIB = 2 ** 30
/** A daemon that does not know the user keeps silent. */
const PATIENCE = seconds(10)

/** What of the machine is lent. */
interface Offer {
  readonly cores: number
  /** GiB. */
  readonly memory: number
  /** GiB. */
  readonly disk: number
}

/**
 * Lends a part of the machine, when the daemon runs and its owner wants it.
 *
 * @throws What stands in the way, when a flag asked for it; otherwise the step stays open.
 */
export async function lend(run: SetupRun): Promise<void> {
  const proposal = await propose(run)
  try {
    await lendThrough(run, await openSession(run), proposal)
  } catch (error) {
    if (!(error instanceof DmsError) || error.kind === 'cancelled' || isAskedToLend(run.flags)) throw error
    await run.report({ step: 'lending', state: 'open', text: explain(error), command: commandOf(run.user, proposal) })
  }
}

/** Whether a flag says that something is to be lent. */
export function isAskedToLend(flags: Flags): boolean {
  return flags.isSet('cpu') || flags.isOn('lend')
}

/** The key is opened only when somebody is there to speak to. */
async function openSession(run: SetupRun): Promise<Session> {
  const { io, config, user, dms } = run
  const client = clientOf(config, io)
  await client.handle()
  // the node obeys its own key too, and then no wallet has to confirm each question
  const { context } = await run.open(isWalletName(user) ? dms : user)
  return createSession({ client, context, clock: io.clock, random: io.random })
}

function explain(error: DmsError): string {
  if (error instanceof ClientUnavailableError) return 'the daemon does not run; start it with nunet run, and to lend:'
  if (error instanceof NoTerminalError) return 'not looked at, because no passphrase is given; to lend:'
  return `${error.message}; when that is mended:`
}

async function lendThrough(run: SetupRun, session: Session, proposal: Offer): Promise<void> {
  const { io, user } = run
  const asking = { text: 'asking the daemon what is lent', limit: PATIENCE }
  const status = await withProgress(io, asking, () => session.invoke({ behavior: STATUS, timeout: PATIENCE }))
  if (isJsonObject(status) && status['onboarded'] === true && !run.flags.isSet('cpu')) {
    return await run.report({ step: 'lending', state: 'already', text: 'a part of this machine is lent' })
  }
  const offer = await chooseOffer(run, proposal)
  if (offer === undefined) {
    const text = 'nothing is lent; when you want to:'
    return await run.report({ step: 'lending', state: 'open', text, command: commandOf(user, proposal) })
  }
  const payload = await payloadOf(offer)
  const lending = { text: 'lending', limit: PATIENCE }
  const reply = await withProgress(io, lending, () => session.invoke({ behavior: ONBOARD, payload, timeout: PATIENCE }))
  const failure = failureIn(reply)
  if (failure !== undefined) throw new RefusedReplyError(failure)
  const text = `${offer.cores === 1 ? '1 core' : `${offer.cores} cores`}, ${offer.memory} GiB of memory and ${offer.disk} GiB of disk`
  await run.report({ step: 'lending', state: 'done', text, command: commandOf(user, offer) })
}

/** Half of the processor and memory and a quarter of the disk leave the owner enough, and lie within the limits (C §6). */
async function propose({ config }: SetupRun): Promise<Offer> {
  const { readMachine } = await import('../../checkup.ts')
  const { cpu, memory, disk } = await readMachine(config.general.work_dir)
  return {
    cores: Math.max(1, Math.floor(cpu.cores / 2)),
    memory: tenths(memory / GIB / 2),
    disk: Math.max(1, Math.floor(disk.total / GIB / 4))
  }
}

function tenths(value: number): number {
  return Math.floor(value * 10) / 10
}

async function chooseOffer({ flags, io }: SetupRun, proposal: Offer): Promise<Offer | undefined> {
  const cores = flags.number('cpu')
  if (cores !== undefined) {
    const size = (flag: string): number => parseSize(flag, flags.text(flag) ?? '') / GIB
    return { cores, memory: size('ram'), disk: size('disk') }
  }
  if (flags.isOn('lend')) return proposal
  const text =
    'Lend a part of this machine now? Allowed are one core and more, 10 to 90 % of the memory, and 1 GiB to 90 % of the disk'
  if (!(await confirm(io, text, 'n'))) return undefined
  const amount = (what: string, usual: number): Promise<number> =>
    ask(io, { text: what, usual: String(usual), parse: parseAmount })
  return {
    cores: await amount('Cores', proposal.cores),
    memory: await amount('Memory in GiB', proposal.memory),
    disk: await amount('Disk in GiB', proposal.disk)
  }
}

function parseAmount(answer: string): Result<number, string> {
  const amount = /^\d{1,7}(\.\d{1,3})?$/.test(answer) ? Number(answer) : 0
  return amount > 0 ? ok(amount) : err('please give a number more than 0')
}

async function payloadOf({ cores, memory, disk }: Offer): Promise<JsonValue> {
  const { onboardPayload } = await import('../payloads.ts')
  const bytes = (gibibytes: number): number => Math.round(gibibytes * GIB)
  return onboardPayload({ cores, memory: bytes(memory), disk: bytes(disk), gpus: [], noGpu: true })
}

function commandOf(user: string, { cores, memory, disk }: Offer): string {
  return `nunet actor cmd -c ${user} ${ONBOARD} --cpu ${cores} --ram ${memory} --disk ${disk} --no-gpu`
}
