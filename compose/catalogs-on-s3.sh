#!/bin/sh
# catalogs-on-s3.sh SOURCE TARGET BUCKET: copies a catalogs folder; each contract's local server becomes an S3 one,
# `path: x` of domain d becomes `location: s3://BUCKET/d/x`. Knows the demo's contracts, not YAML.
set -eu
source=$1 target=$2 bucket=$3

rm -rf "$target"
cp -R "$source" "$target"
find "$target" -name '*.odcs.yaml' | while read -r contract; do
    domain=$(basename "$(dirname "$contract")")
    place="s3://$bucket/$domain"
    grep -q 'type: *local' "$contract" || continue
    # Quoted, then alone on a line, then inside { … }.
    sed -E -i \
        -e 's#type: *local#type: s3#' \
        -e "s#([[:space:]{,-])path: *[\"'](\./)?([^\"']*)[\"']#\1location: \"$place/\3\"#" \
        -e "s#^([[:space:]]*(- +)?)path: *(\./)?([^\"'[:space:]][^[:space:]]*)#\1location: \"$place/\4\"#" \
        -e "s#([{,][[:space:]]*)path: *(\./)?([^\"',}[:space:]]+)#\1location: \"$place/\3\"#" \
        "$contract"
done
