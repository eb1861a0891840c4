// Copies the programs that are plain JavaScript (child processes, which Node 20 cannot run from TypeScript) from src to dist.
import { cpSync, statSync } from 'node:fs'

cpSync('src', 'dist', { recursive: true, filter: (path) => statSync(path).isDirectory() || path.endsWith('.mjs') })
