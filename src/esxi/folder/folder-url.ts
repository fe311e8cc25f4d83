const VOLUMES = '/vmfs/volumes/';

/**
 * The URL of a file for the datastore browser of a host: `/folder/PATH?dcPath=ha-datacenter&dsName=NAME`, each part of
 * the path encoded by itself (vSphere Web Services SDK Programming Guide, "Accessing datastore files by HTTP"). A host
 * has one datacenter, which is always called so.
 *
 * @param path absolute, as `/vmfs/volumes/NAME/folder/file`
 * @throws RangeError for a path that is no file on a datastore; callers have checked it
 */
export function folderUrl(base: URL, path: string): URL {
  const [datastore = '', ...parts] = path.startsWith(VOLUMES) ? path.slice(VOLUMES.length).split('/') : [];
  if (datastore === '' || parts.length === 0 || parts.some((part) => ['', '.', '..'].includes(part))) {
    throw new RangeError(`${path} is no file on a datastore`);
  }
  const url = new URL(base);
  url.pathname = `/folder/${parts.map(encodePart).join('/')}`;
  url.search = `?dcPath=ha-datacenter&dsName=${encodePart(datastore)}`;
  return url;
}

/** RFC 3986 wants these encoded, too, and hosts take them so; encodeURIComponent leaves them. */
function encodePart(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
