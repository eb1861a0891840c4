// Assembles examples/hello.wat into examples/hello.wasm: `npx tsx scripts/build-wasm.ts`.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import openWabt from 'wabt'

const EXAMPLE = new URL('../examples/hello.wat', import.meta.url)

/** The binary form of a module in WebAssembly's text form, without debug names. */
export async function assembleWat(source: URL): Promise<Uint8Array> {
  const wabt = await openWabt()
  const module = wabt.parseWat(fileURLToPath(source), await readFile(source, 'utf8'))
  try {
    return module.toBinary({ write_debug_names: false }).buffer
  } finally {
    module.destroy()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const binary = await assembleWat(EXAMPLE)
  await writeFile(new URL('hello.wasm', EXAMPLE), binary)
  console.log(`examples/hello.wasm: ${binary.length} bytes`)
}
