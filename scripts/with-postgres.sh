#!/usr/bin/env bash
# Runs a command with a PostgreSQL server of its own: on a loopback port, in a folder that is removed afterwards. The
# command finds its address in HEDDLE_TEST_POSTGRES and, in HEDDLE_TEST_POSTGRES_RESTART, how to have it crash and start again.
set -euo pipefail
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
if [ -z "$bin" ]; then bin=$(dirname "$(command -v pg_ctl)"); fi
folder=$(mktemp -d)
# PostgreSQL refuses to run as root.
as=()
if [ "$(id -u)" = 0 ]; then
  as=(runuser -u postgres --)
  chown postgres "$folder"
fi
port=$(node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
stop() {
  "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT
cd "$(dirname "$0")/.."
(
  cd "$folder"
  # Nothing waits for the disk: the crashes of the tests are of the server, not of the machine.
  "${as[@]}" "$bin/initdb" --no-sync -D "$folder/data" -A trust -U heddle >/dev/null
  "${as[@]}" "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w \
    -o "-p $port -c fsync=off -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder" start >/dev/null
)
export HEDDLE_TEST_POSTGRES="postgres://heddle@127.0.0.1:$port/postgres"
export HEDDLE_TEST_POSTGRES_RESTART="cd $folder && ${as[*]} $bin/pg_ctl -D $folder/data -l $folder/log -m immediate -w restart"
"$@"
