import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  handleToJson,
  parsePayload,
  rootHandleOf,
  signedBytes
} from '../actor/index.ts'
import {
  CancelledError,
  createSecret,
  encodeGoJson,
  type JsonValue,
  millis,
  systemClock,
  systemRandom,
  utf8
} from '../base/index.ts'
import { generateKeyPair, type KeyPair } from '../identity/index.ts'
import type { Io, Terminal } from './io.ts'
import { main } from './main.ts'
import type { Screen } from './screen.ts'
import { runTool } from './tool.ts'

/** What one call of a command left behind. For tests of this module only. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What differs from an ordinary call. */
export interface CallOptions
  extends Partial<Pick<Io, 'environment' | 'cwd' | 'runProgram' | 'startDetached' | 'stderr' | 'onStopSignal'>> {
  readonly now?: string
  /** Default `secret`; empty for none. */
  readonly passphrase?: string
  /** `DMS_NEW_PASSPHRASE`. */
  readonly newPassphrase?: string
  readonly input?: string
  /** Answers on the terminal, in order; without them there is no terminal. */
  readonly answers?: readonly string[]
  /** The terminal that stdout leads to; none when missing. */
  readonly screen?: Screen
}

/** Runs one command line with a home of its own, cheap key files and without a process. */
export async function call(home: string, argv: readonly string[], options: CallOptions = {}): Promise<Outcome> {
  const { now, passphrase = 'secret', newPassphrase, input = '', answers, screen, ...rest } = options
  const written = { stdout: '', stderr: '' }
  const output = (name: 'stdout' | 'stderr'): Io['stdout'] => ({
    async write(text) {
      written[name] += text
    }
  })
  const code = await main(argv, {
    stdout: { ...output('stdout'), screen },
    stderr: output('stderr'),
    readInput: async () => input,
    environment: {},
    ...(passphrase === '' ? {} : { passphrase: createSecret(passphrase) }),
    ...(newPassphrase === undefined ? {} : { newPassphrase: createSecret(newPassphrase) }),
    cwd: home,
    home,
    ...(answers === undefined ? {} : { terminal: createTerminal(answers, output('stderr')) }),
    clock: now === undefined ? systemClock : { ...systemClock, now: () => millis(Date.parse(now)) },
    random: systemRandom,
    keyCost: { n: 2, r: 1, p: 1 },
    onStopSignal: () => () => undefined,
    onReloadSignal: () => () => undefined,
    exit: () => undefined,
    startDetached: () => Promise.reject(new Error('nothing is started in this test')),
    shieldProcess: () => undefined,
    runProgram: async () => 0,
    runTool: (tool) => runTool(tool, { environment: rest.environment ?? {}, clock: systemClock }),
    ...rest
  })
  return { code, ...written }
}

function createTerminal(answers: readonly string[], screen: Io['stderr']): Terminal {
  const queue = [...answers]
  const ask = async (question: string): Promise<string> => {
    await screen.write(question)
    const answer = queue.shift()
    if (answer === undefined) throw new CancelledError('the question was not answered')
    return answer
  }
  return { ask, askHidden: ask }
}

/** A request as a fake node saw it. */
export interface SeenRequest {
  readonly envelope: Envelope
  readonly payload: JsonValue
}

/** A node on loopback that answers every message alike. */
export interface FakeNode {
  readonly port: number
  readonly seen: readonly SeenRequest[]
  close(): Promise<void>
}

/**
 * Starts a fake node; `answer` gives the payload of each reply, or nothing for none (status 408). What is addressed to one of
 * `others` is answered by it, as if it were reached through the node.
 */
export async function startFakeNode(
  answer: (request: SeenRequest) => JsonValue | undefined,
  key = generateKeyPair(),
  others: readonly KeyPair[] = []
): Promise<FakeNode> {
  const handle = rootHandleOf(key.publicKey)
  if (!handle.ok) throw new Error(handle.error.message)
  const seen: SeenRequest[] = []

  async function replyTo(body: string): Promise<Envelope | undefined> {
    const envelope = decodeEnvelope(body)
    if (!envelope.ok) throw new Error(envelope.error.message)
    const payload = parsePayload(envelope.value.payload)
    if (!payload.ok) throw new Error(payload.error.message)
    const request = { envelope: envelope.value, payload: payload.value }
    seen.push(request)
    const reply = answer(request)
    if (reply === undefined || !handle.ok) return undefined
    const { from, to, replyTo: behavior, expiresAt } = envelope.value
    const answering = others.find(({ did }) => did === to.did) ?? key
    const sender = rootHandleOf(answering.publicKey)
    if (!sender.ok) throw new Error(sender.error.message)
    const unsigned: Envelope = {
      to: from,
      behavior,
      from: sender.value,
      nonce: BigInt(seen.length),
      expiresAt,
      replyTo: '',
      topic: '',
      payload: utf8(encodeGoJson(reply)),
      capabilities: new Uint8Array(),
      signature: new Uint8Array()
    }
    return { ...unsigned, signature: await answering.sign(signedBytes(unsigned)) }
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const endpoint = request.url?.split('/').at(-1)
      const respond = async (): Promise<void> => {
        if (endpoint === 'handle') return void response.end(encodeGoJson(handleToJson(handle.value)))
        const reply = await replyTo(Buffer.concat(chunks).toString('utf8'))
        if (endpoint === 'send') return void response.end('{"message":"message sent"}')
        if (reply === undefined) return void response.writeHead(408).end('{"error":"request timeout"}')
        response.end(endpoint === 'broadcast' ? `[${encodeEnvelope(reply)}]` : encodeEnvelope(reply))
      }
      respond().catch((error: unknown) => response.writeHead(500).end(String(error)))
    })
  })
  await listen(server)
  const { port } = server.address() as AddressInfo
  return { port, seen, close: () => new Promise((resolve) => server.close(() => resolve())) }
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
}
