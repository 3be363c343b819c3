# sweep FOLDER: ends whatever runs in the cgroups that FOLDER/cgroups names, and removes them.
inside() { while read -r group; do find "$group" -name cgroup.procs -exec cat {} + 2> /dev/null; done < "$1/cgroups" | sort -un; }
sweep() {
  [ -e "$1/cgroups" ] || return 0
  for _ in $(seq 200); do
    processes=$(inside "$1")
    [ -n "$processes" ] || break
    # shellcheck disable=SC2086
    kill -9 $processes 2> /dev/null
    sleep 0.05
  done
  while read -r group; do
    for _ in $(seq 100); do
      [ -d "$group" ] || break
      find "$group" -depth -type d -exec rmdir {} + 2> /dev/null
      [ ! -d "$group" ] || sleep 0.05
    done
  done < "$1/cgroups"
}
