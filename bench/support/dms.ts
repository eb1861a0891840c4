import { access } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** The compiled modules: what is measured is what runs in production; a TypeScript runner in between costs up to a fifth. */
const DIST = new URL('../../dist/', import.meta.url)

/** The program as it is installed: the bundle. */
export const PROGRAM = fileURLToPath(new URL('../../bin/nunet', import.meta.url))

/** The compiled modules that are measured inside of this process. */
export interface Dms {
  readonly actor: typeof import('../../src/actor/index.ts')
  readonly reader: typeof import('../../src/actor/reader.ts')
  readonly replay: typeof import('../../src/actor/replay.ts')
  readonly image: typeof import('../../src/image/index.ts')
  readonly identity: typeof import('../../src/identity/index.ts')
  readonly network: typeof import('../../src/network/index.ts')
  readonly libp2pNode: typeof import('../../src/network/libp2p-node.ts')
  readonly ucan: typeof import('../../src/ucan/index.ts')
}

/** `true`, or that the program must be compiled first. */
export async function isBuilt(): Promise<true | string> {
  const built = [new URL('bin.js', DIST), new URL('../../bundle/nunet.cjs', import.meta.url)]
  return Promise.all(built.map((file) => access(file))).then(
    () => true as const,
    () => 'the program is not built; run make' // whatever keeps it from being read, a build helps
  )
}

/** Loads the compiled modules. */
export async function loadDms(): Promise<Dms> {
  const load = async (path: string): Promise<unknown> => import(new URL(path, DIST).href)
  return {
    actor: (await load('actor/index.js')) as Dms['actor'],
    reader: (await load('actor/reader.js')) as Dms['reader'],
    replay: (await load('actor/replay.js')) as Dms['replay'],
    image: (await load('image/index.js')) as Dms['image'],
    identity: (await load('identity/index.js')) as Dms['identity'],
    network: (await load('network/index.js')) as Dms['network'],
    libp2pNode: (await load('network/libp2p-node.js')) as Dms['libp2pNode'],
    ucan: (await load('ucan/index.js')) as Dms['ucan']
  }
}
