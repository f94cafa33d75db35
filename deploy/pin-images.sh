#!/bin/sh
# Prints the images of docker-compose.yml by their digests, as lines for .env: `deploy/pin-images.sh >> .env`.
# A tag may mean another image tomorrow, a digest does not. Needs docker and the network; changes nothing.
set -eu

cd "$(dirname "$0")/.."
grep -o '\${[A-Z_]*_IMAGE:-[^}]*' docker-compose.yml | sed 's/^..//; s/:-/ /' | sort -u |
  while read -r name image; do
    echo "$name=$image@$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")"
  done
