#!/usr/bin/env bash
# Can this machine run the real node? Silent and 0 when it can; otherwise one reason a line and 1. What cannot be asked is tried, in namespaces that
# end with the try. `preflight.sh NFT` tries the kernel's nftables too.
set -u
nft=${1:-}
bad=0
no() { printf '%s\n' "$1"; bad=1; }

[ "$(uname -sm)" = "Linux x86_64" ] || no "this is $(uname -sm): only Linux on x86_64 is tried"
for tool in ip unshare nsenter mount awk find apt-get dpkg cc; do
  command -v "$tool" > /dev/null || no "the program $tool is missing"
done
if [ "$(id -u)" != 0 ]; then
  no "not root: namespaces, mounts and cgroups of a node take root"
  exit 1
fi
capabilities=$((16#$(awk '/^CapEff/ {print $2}' /proc/self/status)))
for each in 1:DAC_OVERRIDE 12:NET_ADMIN 18:SYS_CHROOT 19:SYS_PTRACE 21:SYS_ADMIN 27:MKNOD; do
  [ $((capabilities >> ${each%:*} & 1)) = 1 ] || no "root has no CAP_${each#*:}"
done
if [ "$(awk '$2 == "/sys/fs/cgroup" {kind = $3} END {print kind}' /proc/mounts)" = cgroup2 ]; then
  for controller in cpu cpuset memory pids; do
    grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers || no "cgroup v2 has no controller $controller"
  done
  [ -w /sys/fs/cgroup/cgroup.subtree_control ] || no "cgroup v2 is mounted read-only"
else
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
    awk -v c="$controller" '$3 == "cgroup" && ("," $4 ",") ~ ("," c ",") && $4 ~ /^rw/ {found = 1} END {exit !found}' /proc/mounts ||
      no "the cgroup v1 controller $controller is not mounted for writing"
  done
fi
unshare --mount --net --pid --uts --ipc --cgroup --fork --mount-proc true 2> /dev/null || { no "namespaces cannot be made (mount, net, pid, uts, ipc, cgroup)"; exit 1; }
unshare --mount --net bash -s -- "$nft" 2> /dev/null << 'TRY' || bad=1
nft=$1
bad=0
no() { printf '%s\n' "$1"; bad=1; }
mount -t tmpfs tmpfs /run && mkdir /run/{lower,upper,work,all} || no "tmpfs cannot be mounted"
mount -t overlay overlay -o lowerdir=/run/lower,upperdir=/run/upper,workdir=/run/work /run/all || no "overlayfs cannot be mounted"
mount -t sysfs sysfs /run/lower || no "sysfs cannot be mounted"
ip link set lo up && ip link add one type veth peer name other || no "veth pairs cannot be made"
echo 1 > /proc/sys/net/ipv4/ip_forward || no "IP forwarding cannot be turned on in a network namespace"
if [ -n "$nft" ]; then
  "$nft" -f - << 'RULES' || no "the kernel has not all of nftables that kube-proxy uses (nat, numgen, fib, masquerade, conntrack, verdict maps)"
table ip try {
  map services { type ipv4_addr . inet_proto . inet_service : verdict; }
  chain out { type nat hook output priority -100; meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 192.0.2.1 . 80, 1 : 192.0.2.2 . 80 }; ct state established accept; }
  chain post { type nat hook postrouting priority 100; fib daddr type local return; meta mark 0x1 masquerade; }
}
RULES
fi
exit "$bad"
TRY
exit "$bad"
