import { pack } from 'tar-stream'
import { isJsonObject, type JsonValue } from '../../base/index.ts'
import type { Workload } from '../executor.ts'
import { type ContainerCommand, filesInside } from '../preparation.ts'

/** The command of an image, from its inspection. */
export function commandOfImage(inspection: unknown): ContainerCommand {
  const config = isJsonObject(inspection) ? inspection['Config'] : undefined
  const { Entrypoint: entrypoint, Cmd: cmd } = isJsonObject(config) ? config : {}
  return { entrypoint: textsOf(entrypoint), cmd: textsOf(cmd) }
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]).filter((item) => typeof item === 'string') : []
}

/** Files and scripts as an archive for the root of the container; `undefined` when there is nothing to put. */
export async function archiveOf(workload: Workload): Promise<Uint8Array | undefined> {
  const files = filesInside(workload)
  if (files.length === 0) return undefined
  const archive = pack()
  for (const file of files) {
    archive.entry({ name: file.path.slice(1), mode: file.mode, uid: 0, gid: 0 }, Buffer.from(file.content))
  }
  archive.finalize()
  const parts: Uint8Array[] = []
  for await (const part of archive as AsyncIterable<Uint8Array>) parts.push(part)
  return Buffer.concat(parts)
}
