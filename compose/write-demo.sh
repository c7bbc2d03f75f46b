#!/bin/sh
# Writes the demo's data, catalogs, users and keys into /demo, and beside them the catalogs that read from S3.
set -eu

# `demo` writes, then serves; it is stopped as soon as it has said that it serves.
log=$(mktemp)
meshgate demo --dir /demo/mesh --scale "${DEMO_SCALE:-1}" --no-repl --listen 127.0.0.1:0 >"$log" &
demo=$!
until grep -q 'grpc://' "$log"; do
    kill -0 "$demo" 2>/dev/null || wait "$demo"
    sleep 1
done
kill -TERM "$demo"
wait "$demo"

sh /compose/catalogs-on-s3.sh /demo/mesh/catalogs /demo/catalogs mesh
