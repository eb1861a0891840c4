import { describe, expect, test } from 'vitest'
import type { Actor, Behavior, Handler } from '../../actor/index.ts'
import { encodeGoJson, millis, silentLogger } from '../../base/index.ts'
import type { HardwareProbe } from '../../hardware/index.ts'
import { flightRecorder, nodeStatus, publicStatus } from '../../protocol/index.ts'
import { CLUSTER_HOST, createMemoryNetwork } from '../../testing/index.ts'
import { NOTHING } from '../resources/index.ts'
import type { LogControl, LogEvent } from './host.ts'
import { serveLogBehaviors } from './log-behaviors.ts'
import { type StatusBehaviorsOptions, serveStatusBehaviors } from './status-behaviors.ts'

/** An actor that only remembers what it serves, and a way to call that. */
function remember() {
  const handlers = new Map<string, Handler<unknown, unknown>>()
  const actor: Pick<Actor, 'handle' | 'on'> = {
    handle: { id: '', did: 'did:key:z6Mk', host: 'peer', inbox: 'root' },
    on(behavior, handler) {
      handlers.set(behavior.name, handler as Handler<unknown, unknown>)
      return () => undefined
    }
  }
  return {
    actor: actor as Actor,
    async call<Request, Reply>({ name }: Behavior<Request, Reply>, request: Request): Promise<Reply> {
      const reply = await handlers.get(name)?.(request, {} as never, { signal: new AbortController().signal })
      return reply as Reply
    }
  }
}

describe('a node whose machine cannot be read', () => {
  const hardware: HardwareProbe = {
    capacity: () => Promise.reject(new Error('/proc/meminfo cannot be read: is this Linux?')),
    usage: () => Promise.reject(new Error('no'))
  }

  function serve() {
    const { actor, call } = remember()
    const ledger: Partial<StatusBehaviorsOptions['ledger']> = {
      offer: () => undefined,
      free: () => NOTHING,
      allocated: () => NOTHING
    }
    serveStatusBehaviors({
      actor,
      host: CLUSTER_HOST,
      peers: createMemoryNetwork().host('peer'),
      hardware,
      ledger: ledger as StatusBehaviorsOptions['ledger'],
      executors: {
        name: 'executors',
        start: () => Promise.resolve(),
        stop: () => Promise.resolve(),
        available: () => new Set(['wasm', 'null']),
        reasons: () => new Map([['docker', 'Docker does not answer']])
      },
      allocations: { list: () => [] },
      deployments: { list: () => [] },
      counters: { increment: () => undefined, snapshot: () => ({}) },
      spread: { over: (handler) => handler }
    })
    return call
  }

  test('says ERROR in public, and nothing of the reason', async () => {
    const reply = await serve()(publicStatus, null)
    expect(reply).toMatchObject({ status: 'ERROR', resources: { cpu: { cores: 0 } } })
    expect(encodeGoJson(reply)).not.toContain('meminfo')
  })

  test('tells its owner the reason beside everything else, executors in one order', async () => {
    const status = (await serve()(nodeStatus, null))['peer']
    expect(status).toMatchObject({ did: 'did:key:z6Mk', errors: ['/proc/meminfo cannot be read: is this Linux?'] })
    expect(status?.executors).toEqual([
      { name: 'null', available: true },
      { name: 'wasm', available: true },
      { name: 'docker', available: false, reason: 'Docker does not answer' }
    ])
  })
})

describe('the last events', () => {
  function serve(events: readonly LogEvent[]) {
    const { actor, call } = remember()
    const logs: LogControl = {
      levels: ['debug', 'info', 'warn', 'error'],
      level: () => 'info',
      setLevel: () => true,
      recent: () => events
    }
    serveLogBehaviors({ actor, logs, log: silentLogger })
    return (request: { limit?: number; level?: string }) => call(flightRecorder, request)
  }

  const event = (message: string, level = 'info', text = ''): LogEvent => ({ at: millis(0), level, message, fields: { text } })

  test('are refused below a level that does not exist', async () => {
    await expect(serve([])({ level: 'loud' })).rejects.toThrow('level "loud" is none of debug, info, warn, error')
  })

  test('are the newest two hundred unless told otherwise, oldest first', async () => {
    const ask = serve(Array.from({ length: 500 }, (_, number) => event(`${number}`)))
    const { events, omitted } = await ask({})
    expect([events.length, events[0]?.message, events.at(-1)?.message, omitted]).toEqual([200, '300', '499', 300])
    expect((await ask({ limit: 1 })).events.map(({ message }) => message)).toEqual(['499'])
    expect((await ask({ limit: 1000 })).events).toHaveLength(500)
  })

  test('are those from a level on', async () => {
    const ask = serve([event('a', 'debug'), event('b', 'warn'), event('c', 'info'), event('d', 'error')])
    expect((await ask({ level: 'WARN' })).events.map(({ message }) => message)).toEqual(['b', 'd'])
  })

  test('fit into one message, the newest of them', async () => {
    const reply = await serve(Array.from({ length: 100 }, (_, number) => event(`${number}`, 'info', 'x'.repeat(16_000))))({})
    expect(encodeGoJson(reply).length).toBeLessThan(700_000)
    expect(reply.events.length).toBeGreaterThan(30)
    expect(reply.events.at(-1)?.message).toBe('99')
    expect(reply.omitted).toBe(100 - reply.events.length)
  })
})
