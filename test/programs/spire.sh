#!/usr/bin/env bash
# Builds SPIRE, which the tests of certswap/spiffe run:
#   bash test/programs/spire.sh
# Needs Go and a C compiler (for SQLite), and takes about ten minutes of CPU time. The programs are kept in
# ~/.cache/certswap/spire-VERSION; a later run finds them there.
set -euo pipefail

version=v1.13.3
folder=${XDG_CACHE_HOME:-$HOME/.cache}/certswap/spire-$version

if [ -x "$folder/spire-server" ] && [ -x "$folder/spire-agent" ]; then
  printf 'there already: %s\n' "$folder"
  exit
fi
command -v go >/dev/null || { printf 'could not build SPIRE: Go is not installed (https://go.dev/dl)\n' && exit 1; }

scratch=$(mktemp -d "${TMPDIR:-/tmp}/certswap-spire.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export GOFLAGS=-mod=mod GOBIN=$scratch/bin CGO_ENABLED=1
# In a module of its own, because `go install PACKAGE@VERSION` asks the module proxy for the list of all versions.
go mod init certswap-spire
go get -tool "github.com/spiffe/spire/cmd/spire-server@$version"
go get -tool "github.com/spiffe/spire/cmd/spire-agent@$version"
go install tool
mkdir -p "$folder"
# Renamed into place, so that an interrupted run leaves no part of a program.
for program in spire-server spire-agent; do
  mv "$GOBIN/$program" "$folder/$program.new"
  mv "$folder/$program.new" "$folder/$program"
done
printf 'built: %s\n' "$folder"
