#!/usr/bin/env bash
# enter.sh FOLDER PROGRAM...: runs PROGRAM as process 1 of a node: in cgroups of its own, and in namespaces of its own that end with it.
# What is made outside of them, the cgroups, is written to FOLDER/cgroups first; keeper.sh takes it away again.
set -euo pipefail
folder=$1
shift
name=${folder##*/}

# v1: a child of our own cgroup in every hierarchy, so that the caller's limits hold; v2: one at the top, where controllers can be handed down
while IFS=: read -r _ controllers path; do
  if [ -n "$controllers" ]; then
    mount=$(awk -v c="${controllers#name=}" '$3 == "cgroup" && ("," $4 ",") ~ ("[,=]" c ",") {print $2; exit}' /proc/mounts)
    group=${mount%/}${path%/}/$name
  elif [ "$(awk '$2 == "/sys/fs/cgroup" {kind = $3} END {print kind}' /proc/mounts)" = cgroup2 ]; then
    for controller in cpu cpuset memory pids io hugetlb; do
      echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control || :
    done 2> /dev/null
    group=/sys/fs/cgroup/$name
    unified=$group
  else
    continue
  fi
  echo "$group" >> "$folder/cgroups"
  mkdir "$group"
  case ,$controllers, in
    *,cpuset,*) for file in cpuset.cpus cpuset.mems; do cat "${group%/*}/$file" > "$group/$file"; done ;;
  esac
done < /proc/self/cgroup
while read -r group; do echo $$ > "$group/cgroup.procs"; done < "$folder/cgroups"

# the cgroup namespace first: its root is where we are now; in v2 a cgroup that hands controllers down may not hold processes, so we step aside
# shellcheck disable=SC2016
exec unshare --cgroup bash -c '
  unified=$1; shift
  if [ -n "$unified" ]; then mkdir "$unified/outside" && echo $$ > "$unified/outside/cgroup.procs"; fi
  exec unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc -- "$@"
' enter "${unified:-}" "$@"
