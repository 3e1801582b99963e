#!/bin/sh
# The guest's first process: does its work as any machine does, and sends what came of it over the
# second serial port. The kernel passes its parameter work=FOLDER on as a variable.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t bpf bpf /sys/fs/bpf
mount -t devtmpfs dev /dev
chmod 1777 /tmp
ip link set lo up
sh "${work:?}/work.sh" /out
uname -r >/out/kernel
stty -F /dev/ttyS1 raw
tar -c -C /out . >/dev/ttyS1
poweroff -f
