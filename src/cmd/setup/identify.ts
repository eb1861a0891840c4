import { addAnchors } from '../anchors.ts'
import { contextsOf } from '../contexts.ts'
import { readDid } from '../dids.ts'
import { createKey, keystoreOf } from '../keys.ts'
import { note } from '../output.ts'
import { refuseWallet } from '../wallet-names.ts'
import type { SetupRun } from './run.ts'

/** Makes the key and the context of a name, as far as they are missing. */
export async function ensureIdentity(run: SetupRun, name: string, who: string): Promise<void> {
  await ensureKey(run, name, who)
  const contexts = contextsOf(run.config, run.io)
  if (await contexts.exists(name)) {
    return await run.report({ step: `context ${name}`, state: 'already', text: (await run.summary(name)).did })
  }
  const { path } = await contexts.create(name, await run.signer(name))
  await run.report({ step: `context ${name}`, state: 'done', text: path, command: `nunet cap new ${name}` })
}

/** A context without a key file is that of a wallet, or its key is kept elsewhere: no key is made for it. */
async function ensureKey(run: SetupRun, name: string, who: string): Promise<void> {
  const { io, config } = run
  refuseWallet(name, 'setup makes keys of this machine; set a wallet up with: nunet cap new ledger:<name>')
  const keystore = keystoreOf(config, io)
  if (await keystore.exists(name)) return await run.report({ step: `key ${name}`, state: 'already', text: `stands for ${who}` })
  if (await contextsOf(config, io).exists(name)) {
    return await run.report({ step: `key ${name}`, state: 'already', text: 'not here, but its context is' })
  }
  await note(io, `Making the key ${name}, which stands for ${who}. Its passphrase cannot be recovered.`)
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
