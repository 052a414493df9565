#!/bin/sh
# Writes trainer.pb.go, trainer_grpc.pb.go and the Python example's trainer_pb2.py
# from ../trainer.proto. It needs protoc (Debian: apt-get install
# protobuf-compiler) and the module proxy, from which the generators come at the
# versions below, into a folder that is removed again.
set -eu
cd "$(dirname "$0")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOBIN=$tools go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN=$tools go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
mkdir -p testdata/python
PATH=$tools:$PATH protoc \
	--go_out=trainerpb --go_opt=module=sweep/trainerplugin/trainerpb \
	--go-grpc_out=trainerpb --go-grpc_opt=module=sweep/trainerplugin/trainerpb \
	--python_out=testdata/python \
	trainer.proto
