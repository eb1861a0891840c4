/** The process of all attackers: reads the target from stdin, attacks for some seconds (first argument), prints what it did as JSON. */
import { setMaxListeners } from 'node:events'
import { text } from 'node:stream/consumers'
import type { Attack, Battlefield } from './attack.ts'
import { LIBP2P_ATTACKS } from './libp2p-attacks.ts'
import { createHostilePeer } from './peer.ts'
import { REST_ATTACKS } from './rest-attacks.ts'
import { handleOfTarget, memberOf, type Target } from './target.ts'

const ATTACKS: readonly Attack[] = [...LIBP2P_ATTACKS, ...REST_ATTACKS]

/** How many attacks are made at the same time: this process has one core for all of them. */
const AT_ONCE = 5

/** Groups attacks so that each group has unlike ones. */
function inWaves(attacks: readonly Attack[]): readonly (readonly Attack[])[] {
  const count = Math.ceil(attacks.length / AT_ONCE)
  return Array.from({ length: count }, (_, wave) => attacks.filter((_attack, index) => index % count === wave))
}

async function main(): Promise<void> {
  const target = JSON.parse(await text(process.stdin)) as Target
  const [duration, ...wanted] = process.argv.slice(2)
  const seconds = Number(duration)
  const end = new AbortController()
  setMaxListeners(0, end.signal)
  process.once('SIGTERM', () => end.abort())
  // What a peer throws between two awaits of an attack is nobody's: the node resets what it likes.
  process.on('uncaughtException', () => undefined)
  process.on('unhandledRejection', () => undefined)
  const member = memberOf(target)
  const field: Omit<Battlefield, 'count' | 'signal'> = {
    target,
    handle: handleOfTarget(target),
    member,
    one: await createHostilePeer(target),
    memberPeer: await createHostilePeer(target, member),
    hundred: await Promise.all(Array.from({ length: 100 }, () => createHostilePeer(target)))
  }
  const sent = new Map<string, number>()
  const chosen = ATTACKS.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  // Their handshakes are hard work for this process; an attack that needs them all would not get far meanwhile.
  await Promise.allSettled(field.hundred.map((peer) => peer.connection(end.signal)))
  process.stdout.write('ready\n')
  const tell = (done?: () => void): void =>
    void process.stdout.write(`${JSON.stringify(chosen.map(({ name }) => [name, sent.get(name) ?? 0]))}\n`, done)
  setInterval(() => tell(), 2000) // also while the process is too busy to end in time
  const waves = inWaves(chosen)
  for (const wave of waves) {
    const over = new AbortController()
    const { signal } = over
    setMaxListeners(0, signal)
    setTimeout(() => over.abort(), (seconds * 1000) / waves.length)
    end.signal.addEventListener('abort', () => over.abort())
    const running = wave.map(({ name, run }) =>
      run({ ...field, signal, count: (by = 1) => void sent.set(name, (sent.get(name) ?? 0) + by) }).catch(() => undefined)
    )
    await Promise.race([Promise.all(running), new Promise((resolve) => signal.addEventListener('abort', resolve))])
  }
  tell(() => process.exit(0))
}

await main()
