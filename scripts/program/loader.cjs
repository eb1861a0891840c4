// Loads the modules of the bundle.
//
// The modules lie in packs: scripts whose value is a table of module functions by name. What every command needs is one pack, what
// is loaded by a dynamic import is one pack per module. A pack may come with what V8 made of it when the program was built; V8
// ignores that when it is another version, and then compiles the text.
'use strict'

const { Script } = require('node:vm')

/**
 * @param {object} store
 * @param {(name: string) => string} store.text The text of a pack, which is ASCII.
 * @param {(name: string) => Buffer | undefined} store.cache What V8 made of it.
 * @param {(name: string) => string} store.path What stack traces call it; the directory is that of `import.meta.url`.
 * @param {(name: string) => unknown} external Loads what is not in the bundle.
 */
function createLoader({ text, cache, path }, external) {
  const functions = new Map()
  const modules = new Map()

  function open(name) {
    const script = new Script(text(name), { filename: path(name), cachedData: cache(name) })
    for (const [key, body] of Object.entries(script.runInThisContext())) functions.set(key, body)
  }

  return function load(name) {
    const known = modules.get(name)
    if (known !== undefined) return known.exports
    if (!functions.has(name)) open(name)
    const module = { exports: {} }
    modules.set(name, module)
    functions.get(name)(module.exports, (id) => (id.startsWith('./') ? load(id.slice(2)) : external(id)), module, path(name))
    return module.exports
  }
}

module.exports = { createLoader }
