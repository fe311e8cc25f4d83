"""BLKZEROOUT (linux/fs.h) on the block device that is open as descriptor 0: zero-out.py OFFSET LENGTH, in bytes.

A program of its own that opens the device (blkdiscard) is refused while another one has it for itself; a descriptor that
is handed on is not.
"""

import fcntl
import struct
import sys

BLKZEROOUT = 0x127F

fcntl.ioctl(0, BLKZEROOUT, struct.pack("QQ", int(sys.argv[1]), int(sys.argv[2])))
