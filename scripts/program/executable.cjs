// The program as one executable: its packs, what V8 made of them and the native addons are assets of it.
'use strict'

const sea = require('node:sea')
const { createLoader } = require('./loader.cjs')

/** The supervisor of a WebAssembly module (src/executor/wasm/launch.ts): `__wasm-runner PAGES DIRECTORY`. */
const RUNNER = '__wasm-runner'
/** The monitor of a micro machine (src/executor/microvm/launch.ts): `__vm-monitor DIRECTORY`. */
const MONITOR = '__vm-monitor'

function readCache(name) {
  try {
    return Buffer.from(sea.getRawAsset(`cache/${name}`))
  } catch {
    return undefined // made for another architecture: the text is enough
  }
}

const load = createLoader(
  {
    text: (name) => Buffer.from(sea.getRawAsset(name)).latin1Slice(),
    cache: readCache,
    path: (name) => `${process.execPath}/${name}`
  },
  require
)
if (process.argv[2] === RUNNER) {
  const [, pages] = process.argv.splice(2, 2)
  require('node:v8').setFlagsFromString(`--wasm-max-mem-pages=${Number(pages)}`)
  load('runner.cjs')
} else if (process.argv[2] === MONITOR) {
  process.argv.splice(2, 1)
  load('vm-monitor.cjs')
} else {
  load('main.cjs')
}
