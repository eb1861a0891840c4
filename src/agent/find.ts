import type { Clock } from '../base/index.ts'
import type { Agent } from './client.ts'
import { type AgentPlaces, findAgentSocket } from './place.ts'

/** The agent of a user directory, if one may be there; costs three looks at the file system when there is none. */
export async function findAgent(places: AgentPlaces, clock: Clock): Promise<Agent | undefined> {
  const socketPath = findAgentSocket(places)
  if (socketPath === undefined) return undefined
  const { createAgentClient } = await import('./client.ts')
  return createAgentClient({ socketPath, clock })
}
