# What building programs of the tests has in common, for scripts that define `inputs PART` and `build_PART FOLDER`; sourced.
# The cache lies outside the checkout, one folder per part and key; a folder appears only when it is complete, and one builds while others wait.
cache=${SLUICE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}/programs

say() { printf '%s\n' "$*" >&2; }

command -v go >/dev/null || { say "go is missing: the programs of the tests are built from Go modules."; exit 1; }
go_version=$(go env GOVERSION)
case $go_version in
  go1.26 | go1.26.*) ;;
  *) say "Go 1.26 is needed, found $go_version: Kubernetes 1.36 built with another Go line serves broken OpenAPI."; exit 1 ;;
esac

# PART: prints its folder, built if need be
build() {
  local part=$1 key folder work
  key=$(inputs "$part" | sha256sum | cut -c1-16)
  folder=$cache/$part-$key
  if [ ! -d "$folder" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/$part-$key.lock"
    flock -n 9 || { say "waiting for another build of $part"; flock 9; }
    if [ ! -d "$folder" ]; then
      work=$(mktemp -d "$cache/.$part-XXXXXX")
      # shellcheck disable=SC2064
      trap "rm -rf '$work'" EXIT
      "build_$part" "$work"
      chmod 755 "$work"
      mv "$work" "$folder"
    fi
    exec 9>&-
  fi
  printf '%s\n' "$folder"
}

# MODULE OUT PACKAGE FLAGS...: OUT is a file, or a folder when it ends in a slash
# No debug information is made, which the linker would drop, and the compiler collects less garbage: a fifth less processor time.
# The flags are the same everywhere, so that what one part compiled serves the next.
compile() {
  local module=$1 out=$2 package=$3 began=$SECONDS
  shift 3
  say "building $package (once; kept in $cache)"
  GOGC=400 go -C "$here/$module" build -buildvcs=false -trimpath -gcflags=all=-dwarf=false -o "$out" "$@" "$package"
  say "built $package in $((SECONDS - began)) s"
}
