/** What every implementation of an interface must do, as tests for any runner. */
export {
  type ExecutorComplianceOptions,
  type ExecutorFixture,
  executorCompliance,
  HELLO,
  NOISY_LINES,
  type WorkloadKind
} from './executor.ts'
export { type KeyValueStoreComplianceOptions, keyValueStoreCompliance } from './key-value-store.ts'
export { type MessageTransportComplianceOptions, messageTransportCompliance, type TransportPair } from './message-transport.ts'
export {
  type VolumeProviderComplianceOptions,
  type VolumeProviderFixture,
  volumeProviderCompliance
} from './volume-provider.ts'
