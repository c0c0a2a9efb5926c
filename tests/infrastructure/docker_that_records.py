"""Stands for docker: keeps how it was called; a push puts an image into the repository."""

import json
import os
import sys

import boto3

arguments = sys.argv[1:]
with open(os.environ["DOCKER_LOG"], "a") as log:
    log.write(" ".join(arguments) + "\n")
if arguments[0] == os.environ.get("DOCKER_FAILS_AT"):
    sys.exit(f"docker {arguments[0]}: no space left on device")
if arguments[0] == "login" and not sys.stdin.read().strip():
    sys.exit("docker login: no password was given")
if arguments[0] == "build" and not os.path.isfile(os.path.join(arguments[-1], "Dockerfile")):
    sys.exit(f"docker build: no Dockerfile in {arguments[-1]}")
if arguments[0] == "push":
    repository, _, tag = arguments[1].rpartition("/")[2].partition(":")
    # The layers and the manifest of a real push, in one call; signed by docker, not by the build.
    client = boto3.client("ecr", aws_access_key_id="docker", aws_secret_access_key="none")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"digest": f"sha256:{0:064}"},
        "layers": [],
    }
    client.put_image(repositoryName=repository, imageTag=tag, imageManifest=json.dumps(manifest))
