import { err, ok } from '../../base/index.ts'
import type { Signer } from '../../identity/index.ts'
import { addAnchors } from '../anchors.ts'
import { contextsOf } from '../contexts.ts'
import { readDid } from '../dids.ts'
import type { Io } from '../io.ts'
import { createKey, keystoreOf } from '../keys.ts'
import { note } from '../output.ts'
import { isWalletName } from '../wallet-names.ts'
import { ask } from './interview.ts'
import type { SetupRun } from './run.ts'

/** What stands for the owner, and where it is looked for. */
type Asking = Pick<SetupRun, 'flags' | 'io' | 'config'>

/**
 * The name that stands for the owner: that of `--user`; or of the wallet to which the context of that name belongs; or, when there
 * is nothing of that name yet, what a person chooses.
 */
export async function chooseUser({ flags, io, config }: Asking): Promise<string> {
  const name = flags.text('user') ?? 'user'
  if (isWalletName(name) || (await keystoreOf(config, io).exists(name))) return name
  if (await contextsOf(config, io).exists(name)) {
    const { walletOfContext } = await import('../wallets.ts')
    const kind = await walletOfContext(name, config)
    return kind === undefined ? name : `${kind}:${name}`
  }
  return flags.isSet('user') ? name : await askWhereKeyIs(io, name)
}

async function askWhereKeyIs(io: Io, name: string): Promise<string> {
  return await ask(io, {
    text: 'Your own key: in a file on this machine (key), or in a Ledger (ledger)',
    usual: 'key',
    parse(answer) {
      if (answer === 'key') return ok(name)
      return answer === 'ledger' ? ok(`ledger:${name}`) : err('please answer key or ledger')
    }
  })
}

/** Makes the key and the context of a name, as far as they are missing; a wallet has its key already. */
export async function ensureIdentity(run: SetupRun, name: string, who: string): Promise<void> {
  if (!isWalletName(name)) await ensureKey(run, name, who)
  const contexts = contextsOf(run.config, run.io)
  const fileName = await run.fileOf(name)
  if (await contexts.exists(fileName)) {
    return await run.report({ step: `context ${name}`, state: 'already', text: (await run.summary(name)).did })
  }
  const { path } = await contexts.create(fileName, isWalletName(name) ? await newWalletSigner(run, name) : await run.signer(name))
  await run.report({ step: `context ${name}`, state: 'done', text: path, command: `nunet cap new ${name}` })
}

/** The wallet is asked for its DID, and to sign the new context. */
async function newWalletSigner({ config, io }: SetupRun, name: string): Promise<Signer> {
  const { openNamedWallet } = await import('../wallets.ts')
  return await (await openNamedWallet(name, config, io)).newContextSigner()
}

/** A context without a key file is that of a wallet, or its key is kept elsewhere: no key is made for it. */
async function ensureKey(run: SetupRun, name: string, who: string): Promise<void> {
  const { io, config } = run
  const keystore = keystoreOf(config, io)
  if (await keystore.exists(name)) return await run.report({ step: `key ${name}`, state: 'already', text: `stands for ${who}` })
  if (await contextsOf(config, io).exists(name)) {
    return await run.report({ step: `key ${name}`, state: 'already', text: 'not here, but its context is' })
  }
  if (!run.isBrief) await note(io, `Making the key ${name}, which stands for ${who}. Its passphrase cannot be recovered.`)
  const key = await createKey(keystore, name, io, { overwrite: false })
  run.remember(name, key)
  await run.report({ step: `key ${name}`, state: 'done', text: key.did, command: `nunet key new ${name}` })
}

/** Gives the user every right on the daemon. */
export async function ensureRoot(run: SetupRun): Promise<void> {
  const { user, dms, io } = run
  const owner = (await run.summary(user)).did
  const command = `nunet cap anchor --context ${dms} --root ${owner}`
  if ((await run.summary(dms)).roots.includes(owner)) {
    return await run.report({ step: 'root anchor', state: 'already', text: `${user} controls ${dms}` })
  }
  await addAnchors(await run.open(dms), [{ kind: 'root', did: readDid(owner, `the DID of ${user}`) }], io)
  await run.report({ step: 'root anchor', state: 'done', text: `${user} controls ${dms}`, command })
}
