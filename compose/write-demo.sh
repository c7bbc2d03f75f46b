#!/bin/sh
# Writes the demo's data, catalogs, users and keys into /demo, and beside them the catalogs that read from S3.
set -eu

meshgate demo --prepare-only --dir /demo/mesh --scale "${DEMO_SCALE:-1}"
sh /compose/catalogs-on-s3.sh /demo/mesh/catalogs /demo/catalogs mesh
