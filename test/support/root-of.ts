import { type Handle, rootHandleOf } from '../../src/actor/index.ts'
import type { ClusterNode } from '../../src/testing/index.ts'

/** The handle of a node's root actor, made from its public key as other nodes make it. */
export function rootOf({ key }: ClusterNode): Handle {
  const handle = rootHandleOf(key.publicKey)
  if (!handle.ok) throw new Error(handle.error.message)
  return handle.value
}
