#!/usr/bin/env bash
# A guest that really boots, under BIOS and UEFI, built in seconds: Debian's cloud kernel, busybox, one FAT partition.
# usage: scripts/lab guest        build it unless it is there; prints the path of the raw image (64 MiB)
# The same folder holds it as lab-guest.qcow2. No cloud is needed, and root only where packages are missing.
# On its serial console: LAB-GUEST-BOOTED, -DISK and -NIC lines, -METADATA, -READY, then `lab-guest login: `.
# It knows virtio, PVSCSI, VMXNET3 and IDE; Debian's cloud kernel has no driver for SATA, LSI Logic or e1000.
set -Eeuo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"
# shellcheck source-path=SCRIPTDIR source=packages.sh
. "$here/packages.sh"
lab_state cloud

packages=(busybox-static cpio dosfstools mtools syslinux syslinux-common syslinux-efi fdisk qemu-utils)
modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk scsi_common scsi_mod
  sd_mod cdrom sr_mod virtio_scsi libata ata_piix ata_generic vmw_pvscsi failover net_failover virtio_net vmxnet3 isofs)
guest=$STATE/guest size=$((64 * 1024 * 1024)) start=$((1024 * 1024))

fetch_kernel() { # into $work/deb
  local name
  name=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    sed -n 's/.*Depends: \(linux-image-[0-9].*cloud-amd64\)$/\1/p' | head -1)
  [[ -n $name ]] && (cd "$work" && apt-get -q download "$name" >>"$LOG/apt.log" 2>&1)
}
build_initrd() { # build_initrd KERNEL_VERSION
  local root=$work/root module
  mkdir -p "$root"/{bin,proc,sys,dev,etc,tmp,run,lib}
  cp /bin/busybox "$root/bin/"
  for module in "${modules[@]}"; do
    find "$work/deb/lib/modules/$1" -name "$module.ko*" -exec cp {} "$root/lib/" \;
  done
  printf '%s\n' "${modules[@]}" >"$root/lib/order"
  install -m 755 "$here/guest-init" "$root/init"
  (cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet | gzip -9n) >"$work/initrd.gz"
}
build_image() { # build_image KERNEL_VERSION: syslinux boots under BIOS, syslinux.efi under UEFI; nothing is mounted
  local image=$work/lab-guest.raw fat=$work/lab-guest.raw@@$start
  cat >"$work/syslinux.cfg" <<'C'
DEFAULT l
PROMPT 0
TIMEOUT 0
SERIAL 0 115200
LABEL l
 KERNEL /vmlinuz
 INITRD /initrd.gz
 APPEND console=tty0 console=ttyS0,115200 quiet panic=5
C
  truncate -s $size "$image"
  printf 'label-id: 0x1ab61e57\n2048,,ef,*\n' | sfdisk -q "$image"
  mkfs.fat -F 32 -s 1 -i 1ab61e57 --offset 2048 -n LABGUEST "$image" $(((size - start) / 1024)) >/dev/null
  export MTOOLS_SKIP_CHECK=1
  mmd -i "$fat" ::/EFI ::/EFI/BOOT
  mcopy -i "$fat" "$work/deb/boot/vmlinuz-$1" ::/vmlinuz
  mcopy -i "$fat" "$work/initrd.gz" "$work/syslinux.cfg" ::/
  mcopy -i "$fat" "$work/syslinux.cfg" ::/EFI/BOOT/syslinux.cfg
  mcopy -i "$fat" /usr/lib/SYSLINUX.EFI/efi64/syslinux.efi ::/EFI/BOOT/BOOTX64.EFI
  mcopy -i "$fat" /usr/lib/syslinux/modules/efi64/ldlinux.e64 ::/EFI/BOOT/ldlinux.e64
  syslinux --install --offset $start "$image"
  dd if=/usr/lib/syslinux/mbr/mbr.bin of="$image" bs=440 count=1 conv=notrunc status=none
  qemu-img convert -f raw -O qcow2 "$image" "$work/lab-guest.qcow2"
  mv "$work/lab-guest.qcow2" "$image" "$guest/"
}

if [[ $# != 0 ]]; then
  sed -n '3,6s/^# //p' "${BASH_SOURCE[0]}" >&2
  [[ $1 == -h || $1 == --help ]] || exit 2
  exit 0
fi
plain_environment
trap_errors
umask 022
mkdir -p "$guest" "$LOG"
exec 8>"$guest/.lock" # `cloud up` builds it too
flock 8
image=$guest/lab-guest.raw
if [[ ! -s $image || $here/guest-init -nt $image || $here/guest.sh -nt $image ]]; then
  need_bookworm
  install_packages "${packages[@]}"
  say 'building the guest image (Debian cloud kernel and busybox)'
  work=$guest/tmp
  rm -rf "$work"
  mkdir -p "$work/deb"
  fetch_kernel || { apt update || true; fetch_kernel; } || die "no kernel for the guest, see $LOG/apt.log"
  dpkg-deb -x "$work"/linux-image-*.deb "$work/deb"
  version=$(basename "$work"/deb/lib/modules/*)
  build_initrd "$version"
  build_image "$version"
  rm -rf "$work"
fi
echo "$image"
