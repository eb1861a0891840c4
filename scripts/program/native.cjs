// Loads a native addon of the single executable.
'use strict'

const { createHash, randomBytes } = require('node:crypto')
const { constants, existsSync, lstatSync, mkdirSync, openSync, closeSync, fchmodSync } = require('node:fs')
const { readFileSync, renameSync, writeFileSync } = require('node:fs')
const { homedir } = require('node:os')
const { dirname, join } = require('node:path')
const sea = require('node:sea')

/** Where the package puts the program and its addons. */
const INSTALLED = { program: '/usr/bin/nunet', addons: '/usr/lib/nunet-dms/native' }

/** The exports of the addon, which is an asset `native/<name>` of the executable. */
function loadAddon(name) {
  const module = { exports: {} }
  process.dlopen(module, addonPath(name))
  return module.exports
}

function addonPath(name) {
  // While the program is built it runs from files.
  if (!sea.isSea()) return join(dirname(process.argv[1]), 'native', name)
  if (process.execPath === INSTALLED.program) {
    const installed = join(INSTALLED.addons, name)
    if (existsSync(installed)) return installed
  }
  return extract(name)
}

/** Writes the addon into a directory of this user's own, named after its content, unless it is there. */
function extract(name) {
  const content = asset(name)
  const hash = digest(content)
  const directory = join(cacheDirectory(), 'nunet-dms', hash)
  const path = join(directory, name)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  makePrivate(directory)
  if (!existsSync(path) || digest(readFileSync(path)) !== hash) {
    const temporary = `${path}.${randomBytes(6).toString('hex')}`
    writeFileSync(temporary, content, { mode: 0o500, flag: 'wx' })
    renameSync(temporary, path)
  }
  return path
}

function asset(name) {
  try {
    return Buffer.from(sea.getRawAsset(`native/${name}`))
  } catch (cause) {
    throw new Error(`this program carries no ${name} for ${process.arch}`, { cause })
  }
}

/** A directory that somebody else can write to would let them run code as this user. */
function makePrivate(directory) {
  for (const place of [dirname(directory), directory]) {
    const { uid } = lstatSync(place)
    if (uid !== process.geteuid()) throw new Error(`${place} must belong to user ${process.geteuid()}, not to user ${uid}`)
    const descriptor = openSync(place, constants.O_DIRECTORY | constants.O_NOFOLLOW)
    try {
      fchmodSync(descriptor, 0o700)
    } finally {
      closeSync(descriptor)
    }
  }
}

function cacheDirectory() {
  const named = process.env.XDG_CACHE_HOME ?? ''
  return named.startsWith('/') ? named : join(homedir(), '.cache')
}

function digest(content) {
  return createHash('sha256').update(content).digest('hex')
}

module.exports = { loadAddon }
