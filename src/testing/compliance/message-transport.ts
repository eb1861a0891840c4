import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { MessageTransport } from '../../actor/index.ts'
import { DmsError, fromUtf8, utf8 } from '../../base/index.ts'

/** Two running transports that can reach each other, made for one test. */
export interface TransportPair {
  readonly first: MessageTransport
  readonly second: MessageTransport
  /** A well-formed peer id that nobody has. */
  readonly stranger: string
  /** Stops both. */
  stop(): Promise<void>
}

/** What a run of the suite needs from its test runner and from the transport under test. */
export interface MessageTransportComplianceOptions {
  /** Declares one test: `test` of any runner. */
  readonly test: (name: string, body: () => Promise<void>) => void
  readonly create: () => Promise<TransportPair>
}

/** The largest frame that a transport must take (B §5.3: 1 MiB with its 8-byte prefix). */
const LARGEST_FRAME = 1_048_576 - 8

/** Declares the tests that everything calling itself a `MessageTransport` must pass, whatever carries its frames. */
export function messageTransportCompliance({ test, create }: MessageTransportComplianceOptions): void {
  const check = (name: string, body: (pair: TransportPair) => Promise<void>): void =>
    test(name, async () => {
      const pair = await create()
      try {
        await body(pair)
      } finally {
        await pair.stop()
      }
    })
  sendingTests(check)
  refusalTests(check)
  topicTests(check)
}

type Check = (name: string, body: (pair: TransportPair) => Promise<void>) => void

function sendingTests(check: Check): void {
  check('delivers a frame unchanged and names the sender', async ({ first, second }) => {
    const inbox = record(second, 'root')
    await first.send(second.peerId, 'root', utf8('{"hello":1}'))
    await eventually(() => inbox.length === 1)
    assert.deepEqual(texts(inbox), ['{"hello":1}'])
    assert.equal(inbox[0]?.from, first.peerId)
  })

  check('keeps the inboxes of a host apart, DIDs among them', async ({ first, second }) => {
    const root = record(second, 'root')
    const contract = record(second, 'did:key:z6MkwYMhwTvsq376YBAcJHy3vyRWzBgn5vKfVqqDCgm7XVKU')
    await first.send(second.peerId, 'root', utf8('to root'))
    await first.send(second.peerId, 'did:key:z6MkwYMhwTvsq376YBAcJHy3vyRWzBgn5vKfVqqDCgm7XVKU', utf8('to the contract'))
    await eventually(() => root.length + contract.length === 2)
    assert.deepEqual(texts(root), ['to root'])
    assert.deepEqual(texts(contract), ['to the contract'])
  })

  check('delivers the empty frame and the frame of one byte', async ({ first, second }) => {
    const inbox = record(second, 'root')
    await first.send(second.peerId, 'root', new Uint8Array(0))
    await first.send(second.peerId, 'root', Uint8Array.of(0))
    await eventually(() => inbox.length === 2)
    assert.deepEqual(inbox.map(({ frame }) => frame.length).sort(), [0, 1])
  })

  check('delivers the largest frame byte for byte', async ({ first, second }) => {
    const inbox = record(second, 'root')
    const frame = Uint8Array.from({ length: LARGEST_FRAME }, (_, index) => (index * 31) % 251)
    await first.send(second.peerId, 'root', frame)
    await eventually(() => inbox.length === 1)
    assert.equal(Buffer.compare(inbox[0]?.frame ?? new Uint8Array(0), frame), 0)
  })

  check('delivers every one of 200 frames sent at the same time', async ({ first, second }) => {
    const inbox = record(second, 'root')
    const sent = Array.from({ length: 200 }, (_, index) => `frame ${index}`)
    await Promise.all(sent.map((text) => first.send(second.peerId, 'root', utf8(text))))
    await eventually(() => inbox.length >= sent.length)
    assert.deepEqual(texts(inbox).sort(), [...sent].sort())
  })

  check('delivers to the own host in a later turn, a copy, from the own peer id', async ({ first }) => {
    const inbox = record(first, 'root')
    const frame = utf8('to myself')
    await first.send(first.peerId, 'root', frame)
    assert.equal(inbox.length, 0, 'the listener must not run in the stack of the sender')
    frame.fill(0)
    await eventually(() => inbox.length === 1)
    assert.deepEqual(texts(inbox), ['to myself'])
    assert.equal(inbox[0]?.from, first.peerId)
  })

  check('survives a listener that throws', async ({ first, second }) => {
    let calls = 0
    second.listen('root', () => {
      calls += 1
      throw new Error('a listener of a test fails')
    })
    await first.send(second.peerId, 'root', utf8('one'))
    await first.send(second.peerId, 'root', utf8('two'))
    await eventually(() => calls === 2)
  })
}

function refusalTests(check: Check): void {
  check('refuses an oversized frame at the sender', async ({ first, second }) => {
    const inbox = record(second, 'root')
    await assert.rejects(first.send(second.peerId, 'root', new Uint8Array(LARGEST_FRAME + 1)), failure('NETWORK_FRAME_TOO_LARGE'))
    await assert.rejects(first.send(first.peerId, 'root', new Uint8Array(LARGEST_FRAME + 1)), failure('NETWORK_FRAME_TOO_LARGE'))
    await first.send(second.peerId, 'root', utf8('after'))
    await eventually(() => inbox.length === 1)
  })

  check('says that nobody listens on an inbox, here and there', async ({ first, second }) => {
    await assert.rejects(first.send(second.peerId, 'nobody', utf8('x')), failure('NETWORK_NO_SUCH_INBOX'))
    await assert.rejects(first.send(first.peerId, 'nobody', utf8('x')), failure('NETWORK_NO_SUCH_INBOX'))
  })

  check('refuses names that cannot be inboxes', async ({ first, second }) => {
    for (const inbox of ['', '/root', 'a b', 'root/../x', 'x'.repeat(302), 'root\n']) {
      await assert.rejects(first.send(second.peerId, inbox, utf8('x')), failure('NETWORK_BAD_INBOX'))
      assert.throws(() => first.listen(inbox, () => undefined), failure('NETWORK_BAD_INBOX'))
    }
  })

  check('refuses a taken inbox until its listener ends', async ({ first, second }) => {
    const end = second.listen('root', () => undefined)
    assert.throws(() => second.listen('root', () => undefined), failure('NETWORK_INBOX_TAKEN'))
    end()
    end()
    await assert.rejects(first.send(second.peerId, 'root', utf8('x')), failure('NETWORK_NO_SUCH_INBOX'))
    const inbox = record(second, 'root')
    await first.send(second.peerId, 'root', utf8('again'))
    await eventually(() => inbox.length === 1)
    end()
    await first.send(second.peerId, 'root', utf8('an old end does not close a new listener'))
    await eventually(() => inbox.length === 2)
  })

  check('says that a peer cannot be reached', async ({ first, stranger }) => {
    await assert.rejects(first.send(stranger, 'root', utf8('x')), failure('NETWORK_UNREACHABLE'))
  })

  check('sends nothing when the signal is aborted', async ({ first, second }) => {
    const inbox = record(second, 'root')
    const own = record(first, 'root')
    const { signal } = aborted()
    await assert.rejects(first.send(second.peerId, 'root', utf8('x'), { signal }), failure('BASE_CANCELLED'))
    await assert.rejects(first.send(first.peerId, 'root', utf8('x'), { signal }), failure('BASE_CANCELLED'))
    await first.send(second.peerId, 'root', utf8('after'))
    await eventually(() => inbox.length === 1)
    assert.deepEqual(texts(inbox), ['after'])
    assert.equal(own.length, 0)
  })
}

function topicTests(check: Check): void {
  check('delivers a broadcast to every subscription of another host, not to its own', async ({ first, second }) => {
    const [one, two, own]: string[][] = [[], [], []]
    await first.subscribe(
      '/nunet/hello',
      (frame) => own?.push(fromUtf8(frame)),
      () => 'accept'
    )
    await second.subscribe(
      '/nunet/hello',
      (frame) => one?.push(fromUtf8(frame)),
      () => 'accept'
    )
    await second.subscribe(
      '/nunet/hello',
      (frame) => two?.push(fromUtf8(frame)),
      () => Promise.resolve('accept' as const)
    )
    await publishUntil(first, '/nunet/hello', () => one?.includes('probe') === true)
    await first.publish('/nunet/hello', utf8('hello'))
    await eventually(() => one?.includes('hello') === true && two?.includes('hello') === true)
    assert.deepEqual(own, [])
  })

  check('keeps topics apart', async ({ first, second }) => {
    const [hello, deployment]: string[][] = [[], []]
    await second.subscribe(
      '/nunet/hello',
      (frame) => hello?.push(fromUtf8(frame)),
      () => 'accept'
    )
    await second.subscribe(
      '/nunet/deployment',
      (frame) => deployment?.push(fromUtf8(frame)),
      () => 'accept'
    )
    await publishUntil(first, '/nunet/hello', () => hello?.includes('probe') === true)
    await publishUntil(first, '/nunet/deployment', () => deployment?.includes('probe') === true)
    await first.publish('/nunet/hello', utf8('hello'))
    await eventually(() => hello?.includes('hello') === true)
    assert.equal(deployment?.includes('hello'), false)
  })

  for (const verdict of ['reject', 'ignore'] as const) {
    check(`withholds a broadcast that any validator answers with ${verdict}`, async ({ first, second }) => {
      const [strict, lax]: string[][] = [[], []]
      const judge = (frame: Uint8Array): 'accept' | 'reject' | 'ignore' => (fromUtf8(frame) === 'bad' ? verdict : 'accept')
      await second.subscribe('/nunet/hello', (frame) => strict?.push(fromUtf8(frame)), judge)
      await second.subscribe(
        '/nunet/hello',
        (frame) => lax?.push(fromUtf8(frame)),
        () => 'accept'
      )
      await publishUntil(first, '/nunet/hello', () => strict?.includes('probe') === true)
      await first.publish('/nunet/hello', utf8('bad'))
      await publishUntil(first, '/nunet/hello', () => strict?.includes('after') === true, 'after')
      assert.equal(strict?.includes('bad'), false)
      assert.equal(lax?.includes('bad'), false)
    })
  }

  check('ignores a broadcast whose validator throws', async ({ first, second }) => {
    const received: string[] = []
    await second.subscribe(
      '/nunet/hello',
      (frame) => received.push(fromUtf8(frame)),
      (frame) => {
        if (fromUtf8(frame) === 'bad') throw new Error('a validator of a test fails')
        return 'accept'
      }
    )
    await publishUntil(first, '/nunet/hello', () => received.includes('probe'))
    await first.publish('/nunet/hello', utf8('bad'))
    await publishUntil(first, '/nunet/hello', () => received.includes('after'), 'after')
    assert.equal(received.includes('bad'), false)
  })

  check('delivers nothing more to an ended subscription, and everything to those that stay', async ({ first, second }) => {
    const [leaving, staying]: string[][] = [[], []]
    const end = await second.subscribe(
      '/nunet/hello',
      (frame) => leaving?.push(fromUtf8(frame)),
      () => 'accept'
    )
    await second.subscribe(
      '/nunet/hello',
      (frame) => staying?.push(fromUtf8(frame)),
      () => 'accept'
    )
    await publishUntil(first, '/nunet/hello', () => leaving?.includes('probe') === true && staying?.includes('probe') === true)
    await end()
    await end()
    await first.publish('/nunet/hello', utf8('late'))
    await eventually(() => staying?.includes('late') === true)
    assert.equal(leaving?.includes('late'), false)
  })

  check('publishes to a topic to which nobody subscribed', async ({ first }) => {
    await first.publish('/nunet/nobody', utf8('x'))
  })

  check('refuses an oversized broadcast and a topic without a name', async ({ first }) => {
    await assert.rejects(first.publish('/nunet/hello', new Uint8Array(LARGEST_FRAME + 9)), failure('NETWORK_FRAME_TOO_LARGE'))
    await assert.rejects(first.publish('', utf8('x')), failure('NETWORK_BAD_TOPIC'))
    await assert.rejects(
      first.subscribe(
        '',
        () => undefined,
        () => 'accept'
      ),
      failure('NETWORK_BAD_TOPIC')
    )
  })
}

interface Received {
  readonly frame: Uint8Array
  readonly from: string
}

function record(transport: MessageTransport, inbox: string): Received[] {
  const received: Received[] = []
  transport.listen(inbox, (frame, from) => received.push({ frame, from }))
  return received
}

function texts(received: readonly Received[]): string[] {
  return received.map(({ frame }) => fromUtf8(frame))
}

function failure(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof DmsError, `expected a DmsError with ${code}, got ${String(error)}`)
    assert.equal(error.code, code)
    return true
  }
}

function aborted(): AbortController {
  const controller = new AbortController()
  controller.abort()
  return controller
}

/** Waits for something that another process or a later turn brings about; fails after 10 s. */
async function eventually(condition: () => boolean): Promise<void> {
  for (let attempts = 0; attempts < 2000; attempts += 1) {
    if (condition()) return
    await pause(5)
  }
  assert.fail(`not within 10 s: ${condition.toString()}`)
}

/** Publishes until a subscription has spread through the network, which no call can announce. */
async function publishUntil(from: MessageTransport, topic: string, condition: () => boolean, text = 'probe'): Promise<void> {
  for (let attempts = 0; attempts < 400; attempts += 1) {
    await from.publish(topic, utf8(text))
    for (let turns = 0; turns < 5; turns += 1) {
      if (condition()) return
      await pause(5)
    }
  }
  assert.fail(`a broadcast to ${topic} did not arrive within 10 s`)
}
