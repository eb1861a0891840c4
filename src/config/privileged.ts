import type { Config } from './schema.ts'

/** Whether the jobs of a DID may have privileged containers: of nobody unless it is allowed, and then of everybody or of those named. */
export function mayBePrivileged({ job }: Pick<Config, 'job'>, did: string): boolean {
  const { allow_privileged_docker: isAllowed, privileged_dids: dids } = job
  return isAllowed && (dids.length === 0 || dids.includes(did))
}
