#!/bin/sh
# Puts the demo's data into the bucket `mesh`, one prefix for each domain, and makes the user that the gateway reads with.
set -eu

until mc alias set store http://s3:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >/dev/null 2>&1; do
    sleep 1
done
mc mb --ignore-existing store/mesh
mc mirror --overwrite --remove /demo/mesh/data store/mesh
mc admin user add store "$MESH_S3_KEY" "$MESH_S3_SECRET"
mc admin policy attach store readonly --user "$MESH_S3_KEY" || true
