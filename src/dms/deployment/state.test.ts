import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EMPTY_HANDLE, type Handle } from '../../actor/index.ts'
import { millis } from '../../base/index.ts'
import { place } from './placement.ts'
import type { Bid, Blueprint, BlueprintAllocation } from './plan.ts'
import { startLevels } from './plan.ts'
import { advance, type DeploymentEvent, type DeploymentFacts, type DeploymentState, INITIAL, statusOf } from './state.ts'

const NOWHERE = { continent: '', country: '', city: '' }

function allocation(name: string, node: string, dependsOn: readonly string[] = []): BlueprintAllocation {
  return {
    name,
    node,
    type: 'task',
    executor: 'null',
    params: null,
    scripts: [],
    keys: [],
    volumes: [],
    hasOutputs: false,
    cpuCores: 1,
    clockHz: 0,
    architecture: '',
    memory: 1,
    disk: 1,
    gpus: [],
    privileged: false,
    dependsOn,
    dnsName: name
  }
}

function blueprint(
  nodes: Readonly<Record<string, { readonly peer?: string; readonly allocations: readonly string[] }>>
): Blueprint {
  return {
    nodes: Object.entries(nodes).map(([name, { peer = '', allocations }]) => ({
      name,
      peer,
      place: { accept: [], reject: [] },
      allocations
    })),
    allocations: new Map(
      Object.entries(nodes).flatMap(([node, { allocations }]) =>
        allocations.map((name) => [name, allocation(name, node)] as const)
      )
    ),
    excludedPeers: []
  }
}

function bid(node: string, peer: string): Bid {
  return { node, peer, handle: { ...EMPTY_HANDLE, host: peer, did: `did:key:${peer}` }, place: NOWHERE }
}

const one = blueprint({ n: { allocations: ['t'] } })
const facts: DeploymentFacts = { id: 'id', blueprint: one, deadline: millis(1000), now: millis(0) }
const handle: Handle = { ...EMPTY_HANDLE, inbox: 'id_n.t' }

function play(start: DeploymentState, events: readonly DeploymentEvent[], with_: DeploymentFacts = facts) {
  return events.reduce(
    ({ state, effects }, event) => {
      const step = advance(state, event, with_)
      return { state: step.next, effects: [...effects, ...step.effects.map(({ type }) => type)] }
    },
    { state: start, effects: [] as string[] }
  )
}

const toRunning: readonly DeploymentEvent[] = [
  { type: 'created' },
  { type: 'bids', bids: [bid('n', 'p')] },
  { type: 'committed' },
  { type: 'allocated', handles: { 'n.t': handle } },
  { type: 'started', key: 'n.t' }
]

const taskEnd = (status: 'completed' | 'failed', error = ''): DeploymentEvent => ({
  type: 'allocation-ended',
  key: 'n.t',
  status,
  error
})

describe('the life of a deployment', () => {
  test('without a bid it asks again until the deadline, then fails with the reason', () => {
    const again = advance(INITIAL, { type: 'bids', bids: [] }, facts)
    expect(again.next).toMatchObject({ phase: 'bidding', round: 2 })
    const alone = advance(again.next, { type: 'bids', bids: [], isAlone: true }, { ...facts, now: millis(1000) })
    expect(alone.next).toMatchObject({ reason: expect.stringContaining('no connection to any other node') as unknown })
    const late = advance(again.next, { type: 'bids', bids: [] }, { ...facts, now: millis(1000) })
    expect(late.next).toEqual({ phase: 'ended', outcome: 'failed', reason: 'no bid for node n' })
  })

  test('a refusal is undone everywhere, and the peer that refused is avoided for one round', () => {
    const { state } = play(INITIAL, toRunning.slice(0, 2))
    const step = advance(state, { type: 'refused', peer: 'p', reason: 'full' }, facts)
    expect(step.effects.map(({ type }) => type)).toEqual(['revert', 'request-bids'])
    expect(step.next).toMatchObject({ phase: 'bidding', round: 2, avoid: ['p'] })
    expect(advance(step.next, { type: 'restarted' }, facts).effects.map(({ type }) => type)).toEqual(['revert', 'request-bids'])
    expect(advance(step.next, { type: 'bids', bids: [bid('n', 'p')] }, facts).next).toMatchObject({
      phase: 'bidding',
      round: 3,
      avoid: []
    })
  })

  test('a task runs to its end, its output is fetched, then everything is given back', () => {
    const { state, effects } = play(INITIAL, [
      ...toRunning,
      taskEnd('completed'),
      { type: 'output-saved', key: 'n.t' },
      { type: 'stopped' }
    ])
    expect(effects).toEqual(['request-bids', 'commit', 'allocate', 'start', 'watch', 'save-output', 'stop', 'finish'])
    expect(state).toMatchObject({ phase: 'ended', outcome: 'completed', reason: '' })
  })

  test('a failed task makes the deployment fail, with its error', () => {
    const { state } = play(INITIAL, [
      ...toRunning,
      taskEnd('failed', 'exited with code 3'),
      { type: 'output-saved', key: 'n.t' },
      { type: 'stopped' }
    ])
    expect(state).toMatchObject({ phase: 'ended', outcome: 'failed', reason: 'n.t exited with code 3' })
  })

  test('a task that ends while another one starts is not forgotten', () => {
    const two = { ...facts, blueprint: blueprint({ n: { allocations: ['t', 'u'] } }) }
    const before = play(INITIAL, toRunning, two)
    expect(before.state.phase).toBe('starting')
    const { state, effects } = play(
      before.state,
      [
        taskEnd('completed'),
        { type: 'output-saved', key: 'n.t' },
        { type: 'started', key: 'n.u' },
        { type: 'allocation-ended', key: 'n.u', status: 'completed', error: '' },
        { type: 'output-saved', key: 'n.u' }
      ],
      two
    )
    expect(effects).toEqual(['save-output', 'watch', 'save-output', 'stop'])
    expect(state).toMatchObject({ phase: 'stopping', outcome: 'completed' })
  })

  test('the second news of an end changes nothing', () => {
    const { state } = play(INITIAL, [...toRunning, taskEnd('completed')])
    expect(advance(state, taskEnd('failed'), facts)).toEqual({ next: state, effects: [] })
  })

  test('a shutdown works in every phase', () => {
    for (let length = 0; length <= toRunning.length; length += 1) {
      const { state } = play(INITIAL, toRunning.slice(0, length))
      const { next, effects } = advance(state, { type: 'shutdown' }, facts)
      expect(['stopping', 'ended']).toContain(next.phase)
      expect(effects.map(({ type }) => type)).toEqual([next.phase === 'ended' ? 'finish' : 'stop'])
    }
  })

  test('what still runs at a shutdown counts as terminated', () => {
    const { state } = play(INITIAL, [...toRunning, { type: 'shutdown' }, { type: 'stopped' }])
    expect(state).toMatchObject({ phase: 'ended', outcome: 'completed' })
    expect(state.phase === 'ended' ? state.plan?.allocations['n.t']?.status : '').toBe('terminated')
  })

  test.each([
    [0, ['request-bids']],
    [2, ['commit']],
    [3, ['allocate']],
    [4, ['start']],
    [5, ['watch']]
  ])('after a restart, %i events in, the effects of the phase are done again', (length, effects) => {
    const { state } = play(INITIAL, toRunning.slice(0, length))
    const step = advance(state, { type: 'restarted' }, facts)
    expect(step.next).toBe(state)
    expect(step.effects.map(({ type }) => type)).toEqual(effects)
  })

  test('no sequence of events brings an ended deployment back to life, and each state has a status', () => {
    const events = fc.array(
      fc.constantFrom<DeploymentEvent>(
        ...toRunning,
        taskEnd('completed'),
        { type: 'output-saved', key: 'n.t' },
        { type: 'refused', peer: 'p', reason: 'x' },
        { type: 'shutdown' },
        { type: 'stopped' },
        { type: 'restarted' }
      ),
      { maxLength: 25 }
    )
    fc.assert(
      fc.property(events, (sequence) => {
        let state: DeploymentState = INITIAL
        for (const event of sequence) {
          const { next } = advance(state, event, facts)
          if (state.phase === 'ended') expect(next).toBe(state)
          state = next
          expect(statusOf(state)).toMatch(/^[A-Z]/)
        }
      })
    )
  })
})

describe('placement', () => {
  const two = blueprint({ a: { allocations: ['x'] }, b: { allocations: ['y'] } })

  test('names every node without a bid', () => {
    expect(place('id', blueprint({ a: { allocations: ['x'], peer: 'q' }, b: { allocations: ['y'] } }), [bid('a', 'p')])).toEqual({
      ok: false,
      error: { reasons: ['no bid for node b', 'no bid for node a from its peer q'] }
    })
  })

  test('prefers a peer that serves no other node, but shares one where it must', () => {
    const spread = place('id', two, [bid('a', 'p'), bid('b', 'p'), bid('b', 'q')])
    expect(spread.ok ? [spread.value.nodes['a']?.peer, spread.value.nodes['b']?.peer] : []).toEqual(['p', 'q'])
    const shared = place('id', two, [bid('a', 'p'), bid('b', 'p')])
    expect(shared.ok ? [shared.value.nodes['a']?.peer, shared.value.nodes['b']?.peer] : []).toEqual(['p', 'p'])
  })

  test('never uses an excluded peer or a wrong place', () => {
    expect(place('id', { ...one, excludedPeers: ['p'] }, [bid('n', 'p')]).ok).toBe(false)
    const picky = { ...one, nodes: one.nodes.map((node) => ({ ...node, place: { accept: [{ continent: 'EU' }], reject: [] } })) }
    expect(place('id', picky, [bid('n', 'p')]).ok).toBe(false)
    expect(place('id', picky, [{ ...bid('n', 'p'), place: { ...NOWHERE, continent: 'EU' } }]).ok).toBe(true)
  })

  test('starts what others depend on first', () => {
    const ordered: Blueprint = {
      ...blueprint({ n: { allocations: ['db', 'app', 'web'] } }),
      allocations: new Map([
        ['web', allocation('web', 'n', ['app'])],
        ['app', allocation('app', 'n', ['db'])],
        ['db', allocation('db', 'n')]
      ])
    }
    const plan = place('id', ordered, [bid('n', 'p')])
    expect(plan.ok ? startLevels(ordered, plan.value) : []).toEqual([['n.db'], ['n.app'], ['n.web']])
  })
})
