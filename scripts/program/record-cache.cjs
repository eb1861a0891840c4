// Runs the program as it will run, and at its end writes what V8 made of every pack beside what other runs wrote:
//   node record-cache.cjs DIRECTORY PROGRAM [ARGUMENT…]
'use strict'

const { renameSync, writeFileSync } = require('node:fs')
const { basename, join } = require('node:path')
const vm = require('node:vm')

const [node, , directory, program, ...args] = process.argv
const scripts = []

vm.Script = class extends vm.Script {
  constructor(text, options) {
    super(text, options)
    scripts.push({ script: this, name: basename(options.filename) })
  }
}

process.on('exit', () => {
  for (const { script, name } of scripts) {
    const path = join(directory, name)
    writeFileSync(`${path}.${process.pid}`, script.createCachedData())
    renameSync(`${path}.${process.pid}`, path)
  }
})

process.argv = [node, program, ...args]
require(program)
