#!/usr/bin/env bash
# node.sh FOLDER: process 1 of the node, in namespaces of its own (see enter.sh), so that nothing it does reaches the host or outlives it.
# Makes the node's mounts and network and says so (FOLDER/network); then runs containerd, loads the images named in FOLDER/images, and, once the
# API server is ready (FOLDER/serving), kubelet and kube-proxy. Each of them is started again when it ends.
set -euo pipefail
folder=$1

mount --make-rshared /
mount -t tmpfs tmpfs /run
mkdir /run/lock /run/lib /run/lib.work
# what network plugins and kubelet leave in /var/lib ends with the node
mount -t overlay overlay -o lowerdir=/var/lib,upperdir=/run/lib,workdir=/run/lib.work /var/lib
mount --bind "$folder/log" /var/log
mount -t sysfs sysfs /sys
if grep -q '^[0-9]*:[a-z]' /proc/self/cgroup; then
  # the same v1 hierarchies, seen from our own cgroup down
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  while IFS=: read -r _ controllers _; do
    case $controllers in
      "") continue ;;
      name=*) name=${controllers#name=} options=none,$controllers ;;
      *) name=$controllers options=$controllers ;;
    esac
    mkdir -p "/sys/fs/cgroup/$name"
    mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$name"
    for each in ${name//,/ }; do [ -e "/sys/fs/cgroup/$each" ] || ln -s "$name" "/sys/fs/cgroup/$each"; done
  done < /proc/self/cgroup
else
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mkdir /sys/fs/cgroup/inside
  echo $$ > /sys/fs/cgroup/inside/cgroup.procs
  echo "+cpu +cpuset +memory +pids" > /sys/fs/cgroup/cgroup.subtree_control
fi
# the kubelet wants to set these for the whole kernel: it finds them set, in files that are not the kernel's
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=/run/sysctl.${setting//\//.}
  echo "${setting#*=}" > "$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done
hostname node

# an address for the node and a route for Services; no default route: whatever is not on the node is unreachable
ip link set lo up
ip link add node0 type veth peer name node0p
ip address add 10.99.0.1/24 dev node0
ip link set node0 up
ip link set node0p up
ip route add 10.96.0.0/16 dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
: > "$folder/network"

# NAME PROGRAM...
keep() {
  local name=$1
  shift
  while :; do
    "$@" >> "$folder/log/$name.log" 2>&1 &
    echo $! > "/run/$name.pid"
    wait $! || :
    sleep 0.2
  done &
}
keep containerd containerd --config "$folder/containerd.toml"
until ctr version > /dev/null 2>&1; do sleep 0.05; done
if [ ! -e "$folder/imported" ]; then
  while read -r image; do ctr --namespace k8s.io images import "$image"; done < "$folder/images"
  : > "$folder/imported"
fi
until [ -e "$folder/serving" ]; do sleep 0.05; done
keep kubelet kubelet --config="$folder/kubelet.yaml" --kubeconfig="$folder/kubeconfig/kubelet" --root-dir="$folder/kubelet" \
  --cert-dir="$folder/certs" --hostname-override=node --node-ip=10.99.0.1
keep kube-proxy kube-proxy --config="$folder/kube-proxy.yaml" --hostname-override=node
while :; do wait -n || sleep 1; done
