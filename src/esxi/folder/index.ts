/** Files of a host over HTTPS, as its datastore browser reads them. */
export { FolderClient } from './client.js';
export { FolderFiles } from './folder-files.js';
