import { main, processIo } from './cmd/index.ts'

// No top-level await: the bundle is CommonJS.
void main(process.argv.slice(2), processIo()).then((code) => {
  process.exitCode = code
  // What still keeps the process alive now is a leak: an operator's restart must not wait for it.
  setTimeout(() => process.exit(70), 10_000).unref()
})
