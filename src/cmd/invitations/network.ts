import { type Config, configKeys, findConfigFile, setConfigValue } from '../../config/index.ts'
import { OtherNetworkError } from '../errors.ts'
import { loadSettings, placesOf } from '../settings.ts'
import type { SetupRun } from '../setup/run.ts'
import { type Invitation, NETWORK_KEYS, type NetworkNames } from './invitation.ts'

/** The names of the network of a configuration that differ from the usual ones. */
export function networkOf({ p2p }: Config): NetworkNames {
  const usual = (name: string): unknown => configKeys().find((key) => key.name === `p2p.${name}`)?.default
  return Object.fromEntries(NETWORK_KEYS.flatMap((name) => (p2p[name] === usual(name) ? [] : [[name, p2p[name]]])))
}

/**
 * Makes the network of the inviting machine that of this one, as long as nobody was let in here and nothing was given to this machine;
 * else others expect it where it is.
 *
 * @throws OtherNetworkError
 */
export async function enterNetwork({ network: theirs }: Invitation, run: SetupRun): Promise<void> {
  const { flags, io, dms } = run
  const { config } = await loadSettings(flags, io)
  const ours = networkOf(config)
  if (NETWORK_KEYS.every((name) => ours[name] === theirs[name])) return
  const { require, provide } = await run.summary(dms)
  if (require.length + provide.length > 0 || Object.keys(ours).length > 0) throw otherNetwork(theirs, ours)
  const { path } = await findConfigFile(placesOf(flags, io))
  for (const name of NETWORK_KEYS) {
    const text = theirs[name]
    if (text !== undefined) await setConfigValue({ path, key: `p2p.${name}`, text })
  }
  await run.report({ step: 'network', state: 'done', text: `this machine belongs to the network ${shown(theirs)}` })
}

/** @throws OtherNetworkError when a machine whose settings are not the user's is in another network. */
export async function requireNetwork({ network: theirs }: Invitation, { flags, io }: SetupRun): Promise<void> {
  const ours = networkOf((await loadSettings(flags, io)).config)
  if (NETWORK_KEYS.some((name) => ours[name] !== theirs[name])) throw otherNetwork(theirs, ours)
}

function otherNetwork(theirs: NetworkNames, ours: NetworkNames): OtherNetworkError {
  return new OtherNetworkError(
    `the inviting machine is in the network ${shown(theirs)}, this one in ${shown(ours)}: take the invitation with a machine of its own (--user-dir, --data-dir, --work-dir and --set)`
  )
}

function shown(names: NetworkNames): string {
  const { network = 'nunet', ...others } = names
  const more = Object.entries(others).map(([name, text]) => `${name}=${text}`)
  return more.length === 0 ? network : `${network} (${more.join(', ')})`
}
