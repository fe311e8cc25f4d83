import { TIB, formatBytes } from '../../core/index.js';
import { finding } from '../findings/finding.js';
import { cloudRule, ofVm } from './rule.js';

/** Glance's default of `image_size_cap`, in bytes. Its API does not tell which cap an operator has set. */
const DEFAULT_IMAGE_CAP = TIB;

/** A disk whose image may be larger than the cloud takes. */
export const imageSize = cloudRule({
  codes: ['cloud.image_too_large'],
  find: (_, vms) =>
    vms.flatMap((item) =>
      item.images.flatMap(({ label, format }) => {
        const disk = item.vm.disks.find((one) => one.label === label);
        const capacity = disk?.capacity_bytes ?? 0;
        if (capacity <= DEFAULT_IMAGE_CAP) return [];
        const held = disk?.allocated_bytes ?? null;
        const sent =
          format === 'raw' || held === null
            ? ''
            : ` The qcow2 image holds about ${formatBytes(Math.min(held, capacity))}; a cloud that makes raw images of what it gets counts the whole.`;
        return ofVm(
          item,
          finding('cloud.image_too_large', 'warning', label, {
            message: `It has ${formatBytes(capacity)}; Glance takes images of at most ${formatBytes(DEFAULT_IMAGE_CAP)} unless its operator has raised image_size_cap.${sent}`,
            remedy:
              'Ask the operator for the cap before you begin. --image-format qcow2 sends only what the disk holds, which is often below it; --via cinder makes no image at all, where a volume can be attached to this machine.',
          }),
        );
      }),
    ),
});
