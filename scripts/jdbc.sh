#!/usr/bin/env bash
# Fetches the JDBC drivers that tests/clients/test_jdbc.py runs, once, and prints their folder.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/need.sh"

command -v java >/dev/null || need default-jdk-headless
command -v javac >/dev/null || need default-jdk-headless
command -v mvn >/dev/null || need maven

folder=${XDG_CACHE_HOME:-$HOME/.cache}/meshgate/jdbc
mkdir -p "$folder"
for version in 18.3.0 15.0.2; do
    jar=$folder/flight-sql-jdbc-driver-$version.jar
    if [ ! -e "$jar" ]; then
        # A download that broke off must not pass for the driver.
        part=$(mktemp -d "$folder/part.XXXXXX")
        mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
            "-Dartifact=org.apache.arrow:flight-sql-jdbc-driver:$version" "-DoutputDirectory=$part" >&2
        mv "$part/flight-sql-jdbc-driver-$version.jar" "$jar"
        rmdir "$part"
    fi
done
echo "$folder"
