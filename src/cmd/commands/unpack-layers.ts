import { serveUnpacker } from '../../image/index.ts'
import type { Action } from '../command.ts'

/** `nunet __unpack-layers`: what the daemon starts to have layers unpacked apart from it. */
export const unpackLayers: Action = async () => {
  await serveUnpacker()
}
