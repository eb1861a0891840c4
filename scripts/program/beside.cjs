// The program as files beside each other: this one, its packs, and what V8 made of them for this version and architecture.
'use strict'

const { readFileSync } = require('node:fs')
const { createLoader } = require('./loader.cjs')

const CACHES = `${__dirname}/cache-${process.version}-${process.arch}`

function readCache(name) {
  try {
    return readFileSync(`${CACHES}/${name}`)
  } catch {
    return undefined // built by another Node: the text is enough
  }
}

const load = createLoader(
  { text: (name) => readFileSync(`${__dirname}/${name}`, 'latin1'), cache: readCache, path: (name) => `${__dirname}/${name}` },
  require
)
load('main.cjs')
