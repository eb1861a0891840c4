import { encodeBase64 } from '../../src/base/index.ts'
import { assembleWat } from '../build-wasm.ts'

/** A module that takes what it can get. */
export interface WasmAttack {
  readonly name: string
  /** Of test/fixtures/wasm. */
  readonly module: string
  readonly args?: readonly string[]
  readonly seconds: number
  /** The exit codes that mean it was refused; with any other it got through. */
  readonly refused?: readonly number[]
  /** What its output must not have. */
  readonly escaped?: RegExp
  readonly most?: { readonly cores?: number; readonly memoryMiB?: number; readonly outputMiB?: number }
}

const FIXTURES = new URL('../../test/fixtures/wasm/', import.meta.url)

/** Beside the module's memory: Node, V8 and the compiled code. */
const RUNTIME_MIB = 300
const ANY = /[\s\S]/

/** Paths that lead out of the directory of a module, if anything does. */
const PATHS: readonly string[] = [
  '../wasm/run.json',
  '../../../../../../../../etc/shadow',
  '/etc/shadow',
  'a/../../wasm/run.json',
  '/proc/self/environ',
  '/proc/self/mem',
  '/dev/mem',
  '/var/run/docker.sock',
  './././../wasm/stdout.log'
]

/** Attacks of WebAssembly modules, which can make no call that WASI has not. */
export const WASM_ATTACKS: readonly WasmAttack[] = Object.freeze([
  ...PATHS.map((path) => ({
    name: `reads ${path}`,
    module: 'open',
    args: [path],
    seconds: 20,
    escaped: ANY
  })),
  { name: 'makes links, raises signals, replaces its output', module: 'escape', seconds: 20, refused: [0] },
  { name: 'asks for sockets that nobody gave it', module: 'hog', args: ['s'], seconds: 20, refused: [58] },
  { name: 'spins', module: 'spin', seconds: 6, most: { cores: 0.7, memoryMiB: 64 + RUNTIME_MIB } },
  { name: 'grows its memory without end', module: 'grow', seconds: 20, most: { memoryMiB: 64 + RUNTIME_MIB } },
  { name: 'needs more memory than it was given', module: 'large', seconds: 20, most: { memoryMiB: 64 + RUNTIME_MIB } },
  { name: 'uses memory beside its memory: tables', module: 'tables', seconds: 20, most: { memoryMiB: 64 + RUNTIME_MIB } },
  { name: 'fills the disk', module: 'flood', args: ['file'], seconds: 30, refused: [51, 0] },
  { name: 'uses up the inodes', module: 'hog', args: ['i'], seconds: 40, refused: [51] },
  { name: 'makes directories too deep to name', module: 'hog', args: ['d'], seconds: 30, refused: [37, 51] },
  { name: 'opens files until there are no more', module: 'hog', args: ['f'], seconds: 30, refused: [33] },
  { name: 'floods its output', module: 'flood', seconds: 30, most: { outputMiB: 34 } },
  { name: 'prints one line of 64 MiB', module: 'hog', args: ['l'], seconds: 30, most: { outputMiB: 34 } },
  { name: 'calls itself without end', module: 'hog', args: ['r'], seconds: 20, refused: [134] },
  { name: 'sleeps in a call and hears no request to end', module: 'sleep', seconds: 2 }
] satisfies WasmAttack[])

/** The ensemble of one of them. */
export async function wasmEnsemble({ module, args = [] }: WasmAttack): Promise<string> {
  const text = encodeBase64(await assembleWat(new URL(`${module}.wat`, FIXTURES)))
  return `
version: V1
allocations:
  job:
    type: task
    executor: wasm
    resources: { cpu: { cores: 0.5 }, ram: { size: 64MiB }, disk: { size: 64MiB } }
    execution: { type: wasm, module: "base64:${text}", args: ${JSON.stringify(args)} }
nodes:
  node1:
    allocations: [job]
`
}
