export { createS3Publisher } from './publisher.ts'
export { createS3Volumes } from './s3-volumes.ts'
