import { dirname } from 'node:path'
import type { System } from '../types.ts'

/** The path itself, or the nearest directory above it that exists. */
export async function nearestExisting(system: System, path: string): Promise<string> {
  for (let candidate = path; ; candidate = dirname(candidate)) {
    if ((await system.status(candidate)) !== undefined || dirname(candidate) === candidate) return candidate
  }
}
