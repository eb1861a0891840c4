import { MAX_ENSEMBLE_TEXT, MAX_ENSEMBLE_WIRE, MAX_NAMED } from './model.ts'
import type { FieldRow } from './object-schema.ts'
import {
  allocationSchema,
  commandCheckSchema,
  glusterVolumeSchema,
  httpCheckSchema,
  keySchema,
  localVolumeSchema,
  outputsSchema,
  publishSchema,
  s3VolumeSchema
} from './rules/allocation.ts'
import { contractSchema, ensembleSchema, supervisorSchema } from './rules/ensemble.ts'
import { containerdSchema, dockerSchema, firecrackerSchema, microvmSchema, ociSchema, wasmSchema } from './rules/execution.ts'
import { edgeSchema, locationRuleSchema, locationSchema, nodeSchema, portSchema } from './rules/node.ts'
import { cpuSchema, diskSchema, gpuSchema, ramSchema, resourcesSchema } from './rules/resources.ts'

interface Section {
  readonly title: string
  readonly rows: readonly FieldRow[]
}

const SECTIONS: readonly Section[] = [
  { title: 'Top level', rows: ensembleSchema.rows },
  { title: 'Allocation', rows: allocationSchema.rows },
  { title: 'Resources', rows: resourcesSchema.rows },
  { title: 'Resources: cpu', rows: cpuSchema.rows },
  { title: 'Resources: ram', rows: ramSchema.rows },
  { title: 'Resources: disk', rows: diskSchema.rows },
  { title: 'Resources: gpus', rows: gpuSchema.rows },
  { title: 'Execution: docker', rows: dockerSchema.rows },
  { title: 'Execution: wasm', rows: wasmSchema.rows },
  { title: 'Execution: microvm', rows: microvmSchema.rows },
  { title: 'Execution: firecracker', rows: firecrackerSchema.rows },
  { title: 'Execution: oci', rows: ociSchema.rows },
  { title: 'Execution: containerd', rows: containerdSchema.rows },
  { title: 'Health check: command', rows: commandCheckSchema.rows },
  { title: 'Health check: http', rows: httpCheckSchema.rows },
  { title: 'Key', rows: keySchema.rows },
  { title: 'Volume: local', rows: localVolumeSchema.rows },
  { title: 'Volume: s3', rows: s3VolumeSchema.rows },
  { title: 'Volume: glusterfs', rows: glusterVolumeSchema.rows },
  { title: 'Outputs', rows: outputsSchema.rows },
  { title: 'Outputs: publish', rows: publishSchema.rows },
  { title: 'Node', rows: nodeSchema.rows },
  { title: 'Port', rows: portSchema.rows },
  { title: 'Location', rows: locationSchema.rows },
  { title: 'Place', rows: locationRuleSchema.rows },
  { title: 'Edge', rows: edgeSchema.rows },
  { title: 'Supervisor', rows: supervisorSchema.rows },
  { title: 'Contract', rows: contractSchema.rows }
]

const INTRODUCTION = `# The ensemble file

YAML or JSON of at most ${MAX_ENSEMBLE_TEXT / 1024} KiB, beginning with \`version: V1\`. At most ${MAX_NAMED} allocations and ${MAX_NAMED} nodes;
with its modules and scripts it has at most ${MAX_ENSEMBLE_WIRE / 1024} KiB as a message. Keys match in any case.

Every text may hold placeholders: \`\${env:NAME}\` or \`\${NAME}\` for a variable, \`\${file:path}\` for the text of a file next to the
ensemble, \`\${NAME:-default}\` for a default, \`$\${\` for the two characters themselves. \`resources\` and \`volumes\` at the top level hold
templates that allocations name.`

/** The grammar of the ensemble file as Markdown, from the tables that the parser itself uses. */
export function renderEnsembleReference(): string {
  return `${[INTRODUCTION, ...SECTIONS.map(renderSection)].join('\n\n')}\n`
}

function renderSection({ title, rows }: Section): string {
  const lines = rows.map(({ name, about, presence, note }) => {
    const cells = [`\`${name}\``, about, presence === 'required' ? 'yes' : '', note]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return [`## ${title}`, '', '| key | value | required | meaning |', '| --- | --- | --- | --- |', ...lines].join('\n')
}
