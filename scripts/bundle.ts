import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { bundleFile, bundleProgram } from './support/bundler.ts'
import { makeCaches } from './support/code-cache.ts'

/** Where bin/nunet looks for it. */
const BUNDLE = 'bundle'

/** Programs that are started by their path, beside the module that starts them. */
const PROGRAMS = [
  'executor/wasm/runner.mjs',
  'executor/wasm/sandbox.mjs',
  'executor/wasm/mounts.mjs',
  'executor/microvm/vm-monitor.mjs',
  'plugins/host.mjs'
]

/** Packages with native code: they stay in node_modules, where npm puts them. QUIC asks for its native package by itself. */
const NATIVE_PACKAGES = ['@photostructure/sqlite', 'node-hid', 'koffi']

const packs = await bundleProgram({ form: 'bundle', external: NATIVE_PACKAGES })
rmSync(BUNDLE, { recursive: true, force: true })
mkdirSync(BUNDLE)
for (const { name, text } of packs) writeFileSync(join(BUNDLE, name), text)
for (const name of PROGRAMS) copyFileSync(join('src', name), join(BUNDLE, basename(name)))
writeFileSync(join(BUNDLE, 'nunet.cjs'), await bundleFile('scripts/program/beside.cjs', { format: 'cjs' }))
await makeCaches(process.execPath, join(BUNDLE, 'nunet.cjs'), join(BUNDLE, `cache-${process.version}-${process.arch}`))
