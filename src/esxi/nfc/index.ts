/** Disks as a host exports them, under a lease (NFC). */
export { leasedDisk, type LeasedVm } from './leased-disk.js';
