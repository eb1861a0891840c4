import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { keccak_256 } from '@noble/hashes/sha3.js'

/**
 * What the stand-in does instead of its work, for one command:
 * a refusal by its owner, by its lock, by the dashboard, or by a status word (`{ status }`); an answer that is broken (`garbage`),
 * too short (`truncated`), without end (`endless`), or never comes (`silent`); a line that breaks (`unplugged`); a signature by
 * another key (`foreign`) or with S in the high half (`high-s`).
 */
export type LedgerMood =
  | 'reject'
  | 'locked'
  | 'wrong-app'
  | 'garbage'
  | 'truncated'
  | 'endless'
  | 'silent'
  | 'unplugged'
  | 'foreign'
  | 'high-s'
  | { readonly status: number }

/** A stand-in for a Ledger with its Ethereum app, behind the interface of Ledger's own emulator (Speculos). */
export interface LedgerEmulator {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly port: number
  /** Every command that arrived, in hexadecimal. */
  readonly commands: readonly string[]
  /** Every message that was shown to its owner. */
  readonly shown: readonly Uint8Array[]
  /** The next command of this instruction (2 or 8) meets this mood; of signatures, the last piece. */
  meet(instruction: 2 | 8, mood: LedgerMood): void
  /** The compressed public key of a derivation path such as `44'/60'/0'/0/0`. */
  publicKey(path: string): Uint8Array
  close(): Promise<void>
}

/** Options of {@link startLedgerEmulator}. */
export interface LedgerEmulatorOptions {
  /** Two devices of one seed have the same keys. Default `seed`. */
  readonly seed?: string
}

const DONE = 0x9000
const REJECTED = 0x6985
const LOCKED = 0x5515
const WRONG_APP = 0x6e00
const WRONG_LENGTH = 0x6700
const WRONG_DATA = 0x6a80
const WRONG_PARAMETERS = 0x6b00
const UNKNOWN_INSTRUCTION = 0x6d00

/** What the app keeps between the pieces of one message. */
interface Pending {
  readonly path: string
  readonly length: number
  readonly received: Buffer
}

/**
 * Starts a stand-in that signs for real.
 *
 * Written from Ledger's description of the Ethereum app, apart from the client that it tests: instruction 2 gives public key and
 * address of a path, instruction 8 takes a message in pieces and signs its Ethereum hash. Its keys are not derived as BIP 32 says:
 * each path has a key of its own.
 */
export async function startLedgerEmulator({ seed = 'seed' }: LedgerEmulatorOptions = {}): Promise<LedgerEmulator> {
  const app = createApp((path) => sha256(Buffer.from(`${seed} ${path}`)))
  const commands: string[] = []

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/events') === true) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n')
      return
    }
    if (request.method !== 'POST' || request.url !== '/apdu') return void response.writeHead(404).end()
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { data } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { readonly data: string }
    commands.push(data)
    send(app.run(Buffer.from(data, 'hex')), response)
  }

  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    commands,
    shown: app.shown,
    meet: app.meet,
    publicKey: (path) => secp256k1.getPublicKey(app.secretOf(path), true),
    close: () => closeServer(server)
  }
}

/** An answer, and the mood in which it is given. */
interface Reaction {
  readonly answer: Buffer
  readonly mood?: LedgerMood | undefined
}

/** The Ethereum app. */
interface App extends Pick<LedgerEmulator, 'shown' | 'meet'> {
  secretOf(path: string): Uint8Array
  run(apdu: Buffer): Reaction
}

function createApp(secretOf: App['secretOf']): App {
  const shown: Uint8Array[] = []
  const moods = new Map<number, LedgerMood[]>()
  let pending: Pending | undefined

  function publicKey(data: Buffer): Reaction {
    const path = readPath(data)
    if (path === undefined || path.end !== data.length) return { answer: statusOnly(WRONG_DATA) }
    const mood = moods.get(2)?.shift()
    const point = secp256k1.getPublicKey(secretOf(path.text), false)
    const address = Buffer.from(keccak_256(point.slice(1)).slice(-20)).toString('hex')
    return inMood(Buffer.concat([Buffer.of(point.length), point, Buffer.of(address.length), Buffer.from(address, 'ascii')]), mood)
  }

  function sign(isFirst: boolean, data: Buffer): Reaction {
    const begun = isFirst ? beginMessage(data) : continueMessage(pending, data)
    pending = undefined
    if (begun === undefined || begun.received.length > begun.length) return { answer: statusOnly(WRONG_DATA) }
    if (begun.received.length < begun.length) {
      pending = begun
      return { answer: statusOnly(DONE) }
    }
    shown.push(begun.received)
    const mood = moods.get(8)?.shift()
    return inMood(signatureOf(begun.received, secretOf(mood === 'foreign' ? 'another' : begun.path), mood === 'high-s'), mood)
  }

  return {
    shown,
    secretOf,
    meet: (instruction, mood) => void moods.set(instruction, [...(moods.get(instruction) ?? []), mood]),
    run(apdu) {
      const [cla, instruction, first, second, length] = apdu
      const data = apdu.subarray(5)
      if (cla !== 0xe0) return { answer: statusOnly(WRONG_APP) }
      if (length !== data.length) return { answer: statusOnly(WRONG_LENGTH) }
      if (instruction !== 2 && instruction !== 8) return { answer: statusOnly(UNKNOWN_INSTRUCTION) }
      const isFirst = first === 0
      if (second !== 0 || !(isFirst || (instruction === 8 && first === 0x80))) return { answer: statusOnly(WRONG_PARAMETERS) }
      return instruction === 2 ? publicKey(data) : sign(isFirst, data)
    }
  }
}

/** v, r and s over the Ethereum hash of a message. */
function signatureOf(message: Buffer, secret: Uint8Array, isHigh: boolean): Buffer {
  const hash = keccak_256(Buffer.concat([Buffer.from(`\x19Ethereum Signed Message:\n${message.length}`), message]))
  const signature = secp256k1.sign(hash, secret, { prehash: false, format: 'recovered' })
  const { r, s, recovery = 0 } = secp256k1.Signature.fromBytes(signature, 'recovered')
  const numbers = [r, isHigh ? secp256k1.Point.Fn.ORDER - s : s]
  const bytes = numbers.map((value) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))
  return Buffer.concat([Buffer.of(27 + (isHigh ? 1 - recovery : recovery)), ...bytes])
}

function inMood(data: Buffer, mood: LedgerMood | undefined): Reaction {
  const status = mood === undefined ? undefined : statusOfMood(mood)
  if (status !== undefined) return { answer: statusOnly(status) }
  return { answer: withStatus(mood === 'truncated' ? data.subarray(0, 20) : data), mood }
}

function send({ answer, mood }: Reaction, response: ServerResponse): void {
  if (mood === 'unplugged') response.destroy()
  else if (mood === 'endless') pour(response)
  else if (mood !== 'silent') {
    response.setHeader('content-type', 'application/json')
    response.end(mood === 'garbage' ? '<html>' : JSON.stringify({ data: answer.toString('hex') }))
  }
}

/** Steps of a path, as text: `44'` for a hardened one. */
function readPath(data: Buffer): { readonly text: string; readonly end: number } | undefined {
  const count = data[0] ?? 0
  const end = 1 + 4 * count
  if (count < 1 || count > 10 || data.length < end) return undefined
  const steps = Array.from({ length: count }, (_, index) => data.readUInt32BE(1 + 4 * index))
  return { text: steps.map((step) => (step >= 0x8000_0000 ? `${step - 0x8000_0000}'` : `${step}`)).join('/'), end }
}

function beginMessage(data: Buffer): Pending | undefined {
  const path = readPath(data)
  if (path === undefined || data.length < path.end + 4) return undefined
  return { path: path.text, length: data.readUInt32BE(path.end), received: data.subarray(path.end + 4) }
}

function continueMessage(pending: Pending | undefined, data: Buffer): Pending | undefined {
  return pending === undefined ? undefined : { ...pending, received: Buffer.concat([pending.received, data]) }
}

function statusOfMood(mood: LedgerMood): number | undefined {
  if (typeof mood === 'object') return mood.status
  return mood === 'reject' ? REJECTED : mood === 'locked' ? LOCKED : mood === 'wrong-app' ? WRONG_APP : undefined
}

function withStatus(data: Buffer): Buffer {
  return Buffer.concat([data, statusOnly(DONE)])
}

function statusOnly(status: number): Buffer {
  return Buffer.of(status >> 8, status & 0xff)
}

/** Data without end, until the reader has enough. */
function pour(response: ServerResponse): void {
  const piece = '0'.repeat(65_536)
  const write = (): void => {
    while (!response.destroyed && response.write(piece));
  }
  response.on('drain', write)
  write()
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
