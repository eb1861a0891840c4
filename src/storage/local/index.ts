export type { AllowedPath } from './host-path.ts'
export { createLocalVolumes, type LocalQuotas, type LocalVolumesOptions } from './local-volumes.ts'
export { createOutputVolumes } from './output-volumes.ts'
