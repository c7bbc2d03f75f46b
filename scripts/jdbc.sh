#!/usr/bin/env bash
# Fetches the JDBC drivers that tests/clients/test_jdbc.py runs, once, and prints their folder.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/need.sh"

for tool in java javac mvn; do
    command -v "$tool" >/dev/null && continue
    # Who tests at home may do without Java, and is told so; CI may not.
    if [ "$(id -u)" != 0 ] && [ -z "${CI:-}" ]; then
        echo "left out: the tests of the JDBC driver, since \`$tool\` is missing (packages default-jdk-headless and maven)" >&2
        exit 0
    fi
    case $tool in mvn) need maven ;; *) need default-jdk-headless ;; esac
done

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
