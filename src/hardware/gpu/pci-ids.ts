import type { SystemFiles } from '../system-files.ts'

/** Where distributions keep the list of PCI ids. */
const LISTS: readonly string[] = ['/usr/share/misc/pci.ids', '/usr/share/hwdata/pci.ids']

/**
 * Names of devices by `vendor:device`, from the list of the distribution; without one, or without an entry, there is none.
 *
 * Lines of the list are `vendor  name`, then `<tab>device  name` for each device of it.
 */
export async function pciIdNames(files: SystemFiles, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>()
  if (ids.length === 0) return names
  const wanted = new Set(ids)
  const list = (await files.text(LISTS[0] ?? '')) ?? (await files.text(LISTS[1] ?? '')) ?? ''
  let vendor = ''
  for (const line of list.split('\n')) {
    const [, id, name] = /^([0-9a-f]{4}) {2}(.+)$/.exec(line) ?? []
    if (id !== undefined && name !== undefined) vendor = id
    const [, device, model] = /^\t([0-9a-f]{4}) {2}(.+)$/.exec(line) ?? []
    if (device !== undefined && model !== undefined && wanted.has(`${vendor}:${device}`))
      names.set(`${vendor}:${device}`, model.trim())
  }
  return names
}
